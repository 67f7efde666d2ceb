"""The modules of `bulk`."""

# The folders of the stack's bucket: what runs read, and what they leave (bulk/template.yaml).
INCOMING = "incoming"
RESULTS = "results"

# Beside the text of a line that is no record, which is sent so that it fails alone: what is wrong with it comes back.
FAULT = "fault"
