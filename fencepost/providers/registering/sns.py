"""A subscription to each of our SNS topics, through which SES tells. Pure.

SNS confirms it by a call to the address, which the registry answers by itself. Which events reach the topic is said elsewhere: by
the event destinations of SES's configuration set.
"""

import re
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from fencepost.providers.registering.steps import Call, Registered, Result, Steps, check
from fencepost.providers.sigv4 import Signer
from fencepost.settings import Ses

_ARN = re.compile(r"<SubscriptionArn>\s*([^<]*?)\s*</SubscriptionArn>")
_RIGHTS = "the user of FENCEPOST_PROVIDERS__SES__ACCESS_KEY_ID needs sns:Subscribe on the topic"


def register(settings: Ses, url: str, at: datetime) -> Steps:
    """Subscribe the address to each topic; SNS knows one that it has already."""
    kinds: dict[str, Result] = {}
    for arn in settings.topic_arns:
        asked = {
            "Action": "Subscribe",
            "Version": "2010-03-31",
            "TopicArn": arn,
            "Protocol": urlsplit(url).scheme,
            "Endpoint": url,
        }
        reply = yield _signed(settings, arn, urlencode(asked).encode(), at)
        check(reply, "SNS", _RIGHTS)
        found = _ARN.search(reply.body.decode("utf-8", "replace"))
        kinds[arn.rpartition(":")[2]] = Result.KNOWN if found and found[1].startswith("arn:") else Result.REGISTERED
    return Registered(kinds, (_destination(settings),))


def _signed(settings: Ses, arn: str, body: bytes, at: datetime) -> Call:
    region = arn.split(":")[3] if arn.count(":") >= 5 else settings.region
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    where = f"{(settings.sns_base_url or f'https://sns.{region}.{suffix}').rstrip('/')}/"
    signer = Signer(
        settings.access_key_id.get_secret_value(), settings.secret_access_key.get_secret_value(), region, "sns"
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "fencepost"}
    return Call("POST", where, signer.sign("POST", where, headers, body, at), body)


def _destination(settings: Ses) -> str:
    chosen = (
        f"of the configuration set {settings.configuration_set}"
        if settings.configuration_set
        else "of the account's default configuration set"
    )
    return (
        f"SES tells a topic only of what an event destination {chosen} names: look there, in SES's console, that it publishes sends,"
        " deliveries, bounces, complaints, delays, rejects, opens and clicks to the topic."
    )
