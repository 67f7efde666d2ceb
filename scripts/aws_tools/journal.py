"""How far a long run has come, in a file, so that it can be resumed."""

import json


class Journal:
    """The state of a run of the given identity; that of another run is not taken over.

    The state may hold keys of items, so only its owner may read the file, and it is deleted at the end.
    """

    def __init__(self, path, identity):
        self.path = path
        self.identity = identity

    def read(self):
        """The state that was written last; None if there is none."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return content["state"] if content.get("identity") == self.identity else None

    def write(self, state):
        """Replaces the state. An interruption leaves the former one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(json.dumps({"identity": self.identity, "state": state}), encoding="utf-8")
        new.replace(self.path)

    def delete(self):
        self.path.unlink(missing_ok=True)
