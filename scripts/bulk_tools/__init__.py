"""The modules of `bulk`."""

# The folders of the stack's bucket: what runs read, and what they leave (bulk/template.yaml).
INCOMING = "incoming"
RESULTS = "results"

# What a line that is no record is sent as, so that it fails alone; what was wrong with it comes back with it.
BAD_ROW = "badRow"
FAULT = "fault"
