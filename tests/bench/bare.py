"""The bare loop that Fencepost is compared with: threads that each post with a plain `requests` Session, and nothing else.

python -m tests.bench.bare http://127.0.0.1:5090 --requests 5000 --threads 32     prints its CPU seconds
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import requests

FORM = {
    "from": "Fence Post <post@example.com>",
    "to": "person@example.com",
    "subject": "Weekly figures",
    "text": "Here they are.",
    "h:Message-Id": "<eml_01JD0000000000000000000000@example.com>",
}


def post(url: str, count: int) -> None:
    """Post so many mails, one after the other, on one session."""
    with requests.Session() as session:
        for _ in range(count):
            answer = session.post(f"{url}/v3/sandbox.example.com/messages", data=FORM, auth=("api", "key"), timeout=30)
            answer.raise_for_status()
            answer.json()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=32)
    arguments = parser.parse_args()
    with ThreadPoolExecutor(arguments.threads) as pool:
        share = arguments.requests // arguments.threads
        for done in [pool.submit(post, arguments.url, share) for _ in range(arguments.threads)]:
            done.result()
    print(time.process_time())


if __name__ == "__main__":
    main()
