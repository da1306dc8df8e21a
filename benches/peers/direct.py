"""No proxy: the limit of clients and backend."""

from peers import Peer


class Direct(Peer):
    name = "direct"

    def start(self, timeout=10):
        self.site.http = self.site.backend
        return self
