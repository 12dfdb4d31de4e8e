"""/providers/{name}/register-webhook: have a provider tell us what becomes of mail, by its own API."""

from flask import Response
from pydantic import Field

from fencepost import ids
from fencepost.api_keys import Scope
from fencepost.definitions import Shape
from fencepost.logs import get_logger
from fencepost.providers import registering
from fencepost.providers.asking import perform
from fencepost.schedules import milliseconds
from fencepost.store.providers import ProviderChange
from registry.access import needs
from registry.answers.providers import RegistrationAnswer
from registry.documenting import TAGS, answers, blueprint, problems, takes
from registry.incoming import read
from registry.inputs import Person
from registry.parts import Parts, parts
from registry.providers import ProviderPath, refuse_unknown
from registry.replies import Reply

log = get_logger(__name__)
bp = blueprint("registering", __name__, TAGS["providers"])


class RegisterInput(Shape):
    """Who has it registered."""

    by: Person = Field("local", description="Who decides, in their own words; the log has the key beside it.")


@bp.post(
    "/providers/<string:name>/register-webhook",
    request_body=takes(RegisterInput, {"by": "Ann"}, required=False),
    responses={
        200: answers(RegistrationAnswer, "What is registered there now."),
        409: problems(
            "It can't be registered as things are set, or the provider refuses it; `detail` says what would help."
        ),
    },
)
@needs(Scope.PROVIDERS_WRITE)
def register_webhook(path: ProviderPath) -> Response:
    """Register the address of our webhooks

    At the provider, through its API: PUBLIC_URL with `/hooks/{name}`, for every kind of event. What others have registered there
    stays. Done again it changes nothing.
    """
    p, given = parts(), read(RegisterInput, optional=True)
    refuse_unknown(p, path.name)
    steps = registering.steps(path.name, p.settings.providers, p.settings.public_url, p.clock.now)
    done = perform(path.name, steps, p.ask)
    url = registering.address(path.name, p.settings.public_url) or ""
    _record(p, path.name, url, given.by, done)
    answer: RegistrationAnswer = {
        "object": "webhook_registration",
        "provider": path.name,
        "url": url,
        "kinds": {kind: result.value for kind, result in done.kinds.items()},
        "to_do": list(done.to_do),
    }
    return Reply(answer).response()


def _record(p: Parts, name: str, url: str, by: str, done: registering.Registered) -> None:
    told = sorted(kind for kind, result in done.kinds.items() if result is not registering.Result.TAKEN)
    log.info(
        "The address of our webhooks was registered.", action="provider.registered", provider=name, by=by, kinds=told
    )
    if told:
        now = milliseconds(p.clock.now())
        reason = f"for {', '.join(told)}"
        p.store.providers.record([ProviderChange(ids.new_id(ids.CHANGE), name, "webhook", "", url, reason, now, by)])
