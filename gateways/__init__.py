"""BACK ROOM: the only outgoing HTTP and the only provider words.

No database, no retry policy, and no state that could not be lost at any moment (an access token, a file id are only memory of what the
provider would tell again). Rooms on this floor are strangers; the hall meets these classes through `domain` Protocols only.
"""
