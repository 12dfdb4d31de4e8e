"""By what the registry knows the simulator's webhooks: fresh for each stack, so that nobody else's are taken."""

import secrets
from base64 import b64encode
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:fencepost"


@dataclass(frozen=True)
class HookKeys:
    """Settings of both sides."""

    simulator: dict[str, str]
    registry: dict[str, str]

    @classmethod
    def fresh(cls, simulator_url: str) -> "HookKeys":
        """For Mailgun's, SendGrid's and Mailjet's dialects; for SES's, the simulator at that address signs by itself."""
        signing_key, credentials = secrets.token_hex(16), f"hooks:{secrets.token_hex(16)}"
        pair = ec.generate_private_key(ec.SECP256R1())
        private = pair.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        public = pair.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        simulator = {
            "WEBHOOK_SIGNING_KEY": signing_key,
            "SENDGRID_WEBHOOK_KEY": b64encode(private).decode(),
            "MAILJET_WEBHOOK_CREDENTIALS": credentials,
            "TOPIC_ARN": TOPIC_ARN,
            "SNS_BASE_URL": f"{simulator_url}/sns",
        }
        registry = {
            "MAILGUN__WEBHOOK_SIGNING_KEY": signing_key,
            "SENDGRID__WEBHOOK_PUBLIC_KEY": b64encode(public).decode(),
            "MAILJET__WEBHOOK_CREDENTIALS": credentials,
            "SES__TOPIC_ARNS": TOPIC_ARN,
            "SES__SNS_BASE_URL": f"{simulator_url}/sns",
        }
        return cls(
            {f"FENCEPOST_SIMULATOR__{name}": value for name, value in simulator.items()},
            {f"FENCEPOST_PROVIDERS__{name}": value for name, value in registry.items()},
        )
