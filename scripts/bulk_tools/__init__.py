"""The modules of `bulk`."""

# The fields of a record (docs/api.md).
FIELDS = ("audienceUserId", "openid", "unionid", "phone", "groups")
IDENTIFIERS = FIELDS[:-1]

# What failed rows have beside them: their place in the input, and why they failed.
REASONS = ("index", "errorCode", "errorMsg", "retryable")

# The folders of the stack's bucket: what runs read, and what they leave (bulk/template.yaml).
INCOMING = "incoming"
RESULTS = "results"
