"""No proxy: the limit of clients and backend."""

from peers import Peer


class Direct(Peer):
    name = "direct"

    def start(self, timeout=10):
        self.site.http = self.site.tcp = self.site.backend
        return self
