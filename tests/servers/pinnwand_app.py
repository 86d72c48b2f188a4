"""Start pinnwand on loopback: `python pinnwand_app.py PORT DATABASE_FILE`, with the Python it is installed in.

Its own command listens on every address, and its rate limit of two pastes is meant for people.
"""

import sys

import tornado.ioloop
from pinnwand import configuration

port, database_file = int(sys.argv[1]), sys.argv[2]
configuration.database_uri = f"sqlite:///{database_file}"
for limit in configuration.ratelimit.values():
    limit.update(capacity=100_000, consume=1, refill=100_000)

# Imported after the configuration: these read it when they are imported.
from pinnwand import database  # noqa: E402
from pinnwand.http import make_application  # noqa: E402

database.Base.metadata.create_all(database._engine)
make_application(False).listen(port, address="127.0.0.1")
tornado.ioloop.IOLoop.current().start()
