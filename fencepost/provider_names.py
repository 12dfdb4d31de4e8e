"""What providers are called in sentences for people."""

AS_WRITTEN = {"mailgun": "Mailgun", "sendgrid": "SendGrid", "mailjet": "Mailjet", "ses": "Amazon SES", "smtp": "SMTP"}


def as_written(name: str) -> str:
    """The name in settings as its maker writes it; one that is not known here begins with a capital."""
    return AS_WRITTEN.get(name, name.capitalize())
