"""What a certificate is made of: digests, canonical JSON, keys, envelopes, and the verdict on them.

Modules, lowest first: ``layout`` (file names of MODEL_DIR), ``canonical`` (one form of JSON),
``digests``, ``keys`` (P-256 and Ed25519), ``dsse`` (Statement in, Sigstore bundle out, and
back), ``certificate`` (``verify``: bytes in, :class:`~certificate.Certificate` out).
Nothing here imports torch, and nothing imported here is re-exported, so that a user of the
digests does not load the cryptography.
"""
