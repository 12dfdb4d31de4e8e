"""Who may call what. Each view declares beside itself the scope that it needs, or that it is public and why; a view that
declares nothing keeps the application from starting."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from flask import Flask, Response, after_this_request, current_app, g, request
from structlog.contextvars import bind_contextvars

from fencepost.api_keys import Scope, allows
from fencepost.errors import FencepostError, Unreachable
from fencepost.loopback import is_local
from registry.caller import LOCAL, Caller, caller_with
from registry.hosts import SAFE_METHODS, host_name
from registry.keyring import Keyring, Unauthenticated
from registry.limiting import limits
from registry.parts import Parts

View = TypeVar("View", bound=Callable[..., Any])

_KEYRING: Final = "keyring"
_DECLARED: Final = "fencepost_access"


class Forbidden(FencepostError):
    """The key is valid, and may not do this. `scope`: what it lacks, if it is a scope."""

    def __init__(self, sentence: str, scope: Scope | None = None) -> None:
        self.scope = scope
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Need:
    """`scope` None: any valid key will do. `test_keys`: whether those may call it too; they may read in any case."""

    scope: Scope | None
    test_keys: bool


@dataclass(frozen=True, slots=True)
class Public:
    """Anybody may call it, and this is why."""

    why: str


def needs(scope: Scope | None, *, test_keys: bool = False) -> Callable[[View], View]:
    """Declare the scope of a view; `None`: any key. `test_keys`: what it does can be done without any provider being called, so
    that keys for tests may call it though it writes."""
    return _declare(Need(scope, test_keys))


def public(why: str) -> Callable[[View], View]:
    """Declare that a view needs no key, and why."""
    return _declare(Public(why))


def _declare(access: Need | Public) -> Callable[[View], View]:
    def declare(view: View) -> View:
        setattr(view, _DECLARED, access)
        return view

    return declare


def declared(view: Callable[..., Any]) -> Need | Public | None:
    """What stands beside this view; None if nothing does."""
    return cast(Need | Public | None, getattr(view, _DECLARED, None))


def undeclared(app: Flask) -> Iterator[str]:
    """The routes whose views declare nothing."""
    for rule in app.url_map.iter_rules():
        if declared(app.view_functions[rule.endpoint]) is None:
            yield rule.rule


def install(app: Flask, p: Parts) -> None:
    """Ask every request for what its view needs. `check` comes when all views are there."""
    pepper = p.settings.registry.key_pepper
    keyring = Keyring(p.store.api_keys.find, p.clock, pepper.get_secret_value() if pepper else None)
    app.extensions[_KEYRING] = keyring

    @app.before_request
    def require() -> None:
        if request.endpoint is None:
            return  # there is no such address, which is all that the answer will say
        access = declared(current_app.view_functions[request.endpoint])
        if isinstance(access, Public):
            return
        if access is None:
            raise RuntimeError(f"{request.endpoint} declares no scope")
        g.caller = _caller_of_request(p, keyring)
        if g.caller.key_id:
            bind_contextvars(key_id=g.caller.key_id)
            limits().use(g.caller.key_id)
        refuse_unless_allowed(g.caller, access, safe=request.method in SAFE_METHODS)


def check(app: Flask) -> None:
    """Raises RuntimeError, with the routes that declare no scope."""
    if found := sorted(undeclared(app)):
        raise RuntimeError(f"these routes need @needs(scope) or @public(why) beside them: {', '.join(found)}")


def keyring() -> Keyring:
    """The keyring of the application that answers this request."""
    return cast(Keyring, current_app.extensions[_KEYRING])


def refuse_unless_allowed(caller: Caller, need: Need, *, safe: bool) -> None:
    """Raises Forbidden."""
    if need.scope is not None and not allows(caller.scopes, need.scope):
        raise Forbidden(f"this key lacks the scope {need.scope.value}", need.scope)
    if caller.test and not safe and not need.test_keys:
        raise Forbidden("this is a key for tests, and what it asks for may reach a provider: take a live key")


def _caller_of_request(p: Parts, keyring: Keyring) -> Caller:
    given = request.headers.get("Authorization")
    if given is None:
        host = request.environ.get("HTTP_HOST", "")
        if p.settings.registry.trust_loopback and is_local(request.remote_addr, host_name(host), request.headers):
            return LOCAL
        raise Unauthenticated("this needs a key: send it as `Authorization: Bearer fp_live_…`")
    scheme, _, secret = given.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("a key is sent as `Authorization: Bearer fp_live_…`")
    try:
        key = keyring.key_of(secret.strip())
    except Unauthenticated:
        limits().miss(request.remote_addr or "")
        raise
    if keyring.notes_use(key.id):
        _note_use_afterwards(p, key.id)
    return caller_with(key)


def _note_use_afterwards(p: Parts, key_id: str) -> None:
    """Write that it was used once the answer is out: nobody waits for that, and nothing fails by it."""

    def note() -> None:
        with suppress(Unreachable):
            p.store.api_keys.touch(key_id, p.clock.now())

    @after_this_request
    def hang_on(response: Response) -> Response:
        response.call_on_close(note)
        return response
