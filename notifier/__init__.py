"""The notifier: tells the endpoints of webhooks what becomes of mail."""
