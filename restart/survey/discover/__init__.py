"""Discovery: which dependencies really exist. `look` asks the hosts, again and again where told to; `sightings` adds up what they said;
`links` puts every connection and every name in a file in its place (`addresses`: whose an address is, `members`: which service is at a
port); `edges` holds the result against the inventory; `file` keeps it. All but `look` and `file` are pure.
"""

from __future__ import annotations

from restart.survey.discover.edges import Compared, compared
from restart.survey.discover.look import Sampling, discover

__all__ = ["Compared", "Sampling", "compared", "discover"]
