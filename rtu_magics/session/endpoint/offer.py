"""What a Jupyter Server without our extension has to offer; pure.

It is told from what the server answers to requests that change nothing. Its route for the sessions
of live documents takes PUT alone: a GET is answered 405 where jupyter-collaboration is, and 404
where it is not. The route of its rooms takes websockets alone: a GET is answered 400 also by
jupyter-server-documents, which has no such sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Answers", "Offer", "offer_of", "way", "why_not"]


class Offer(Enum):
    """What there is."""

    NO_JUPYTER = "no Jupyter Server"
    PLAIN = "a Jupyter Server without live documents"
    COLLABORATION = "jupyter-collaboration"
    SERVER_DOCUMENTS = "jupyter-server-documents"


@dataclass(frozen=True, slots=True)
class Answers:
    """What a server answered.

    Attributes
    ----------
    version
        Of the Jupyter Server, as ``/api`` says; "" if it says none.
    session, websocket
        Statuses of GET on the routes of live documents' sessions, and of their rooms.
    """

    version: str = ""
    session: int = 404
    websocket: int = 404


def offer_of(answers: Answers) -> Offer:
    """Return what a server offers.

    Examples
    --------
    >>> offer_of(Answers("2.21.1", session=405, websocket=400))
    <Offer.COLLABORATION: 'jupyter-collaboration'>
    """
    if not answers.version:
        return Offer.NO_JUPYTER
    if answers.session == 405:
        return Offer.COLLABORATION
    if answers.websocket not in (404, 405):
        return Offer.SERVER_DOCUMENTS
    return Offer.PLAIN


def way(url: str) -> str:
    """Return the line that says how a notebook is joined where there is no rtu_magics."""
    return (
        f"{url} has no rtu_magics but JupyterLab's live collaboration: joining the notebook that "
        "people have open there; roles bind nobody there, whoever has the page may edit"
    )


def why_not(offer: Offer, url: str) -> str:
    """Return why a server's notebooks cannot be joined, and what to do; "" if they can."""
    if offer is Offer.COLLABORATION:
        return ""
    if offer is Offer.SERVER_DOCUMENTS:
        return (
            f"{url} keeps its live notebooks with jupyter-server-documents, which cannot be joined "
            "yet; run jupyter-collaboration there instead"
        )
    if offer is Offer.PLAIN:
        return (
            f"{url} has neither rtu_magics nor live collaboration; run "
            "pip install 'rtu_magics[lab]' there (or jupyter-collaboration alone), and start it "
            "again"
        )
    return (
        f"{url} is no server with rtu_magics; check the address, and that rtu_magics is installed "
        "beside Jupyter there"
    )
