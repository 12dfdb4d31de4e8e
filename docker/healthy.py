"""Exit with 0 if the process in this container answers: `healthy.py PORT`. Images need no curl for that."""

import sys
from http.client import HTTPConnection

connection = HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=3)
connection.request("GET", "/healthz")
sys.exit(connection.getresponse().status != 200)
