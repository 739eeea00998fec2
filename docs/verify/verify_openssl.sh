#!/bin/sh
# Verify a safety report with openssl, jq and sha256sum alone.
#   verify_openssl.sh BUNDLE PUBLIC_KEY [MODEL_DIR]
# Exit: 0 verified and PASSED, 1 not, 2 usage.  docs/verify.md says what this shows and what not.
set -eu
fail() { echo "REFUSED: $1" >&2; exit 1; }
[ $# -ge 2 ] && [ $# -le 3 ] || { echo "usage: $0 BUNDLE PUBLIC_KEY [MODEL_DIR]" >&2; exit 2; }
bundle=$1 key=$2
for tool in openssl jq sha256sum base64; do
    command -v "$tool" >/dev/null || { echo "needed: $tool" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# 1. The envelope: one signature, one payload type, and the key it names is the key given.
jq -e '.mediaType == "application/vnd.dev.sigstore.bundle.v0.3+json"
    and .dsseEnvelope.payloadType == "application/vnd.in-toto+json"
    and (.dsseEnvelope.signatures | length) == 1' "$bundle" >/dev/null || fail "not a safety report's bundle"
[ "$(jq -r .verificationMaterial.publicKey.hint "$bundle")" = "$(openssl pkey -pubin -in "$key" | sha256sum | cut -d' ' -f1)" ] ||
    fail "the report names another key"

# 2. What was signed (DSSE's pre-authentication encoding), and its signature.
jq -j .dsseEnvelope.payload "$bundle" | base64 -d >"$work/payload" || fail "payload is not base64"
jq -j '.dsseEnvelope.signatures[0].sig' "$bundle" | base64 -d >"$work/sig" || fail "signature is not base64"
type=$(jq -r .dsseEnvelope.payloadType "$bundle")
{
    printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c <"$work/payload")"
    cat "$work/payload"
} >"$work/pae"
if openssl pkey -pubin -in "$key" -noout -text | grep -qi ed25519; then
    openssl pkeyutl -verify -rawin -pubin -inkey "$key" -in "$work/pae" -sigfile "$work/sig" >/dev/null 2>&1
else
    openssl dgst -sha256 -verify "$key" -signature "$work/sig" "$work/pae" >/dev/null 2>&1
fi || fail "the signature does not verify"

# 3. What the signed text says.
jq -e '._type == "https://in-toto.io/Statement/v1"
    and .predicateType == "https://causalguard.dev/attestation/safety-report/v1"' "$work/payload" >/dev/null ||
    fail "signed, but no safety report"
jq -r '.predicate | "result \(.result) under policy \(.policy.name) (sha256 \(.policy.sha256)), \(.timeCreated)\nbackends \([.backends[].name] | join(", "))"' "$work/payload"

# 4. The files: all that are listed, unchanged; none beside them but the unsigned ones.
if [ $# -eq 3 ]; then
    jq -r '.subject[] | select(.name != "MODEL_DIR") | "\(.digest.sha256)  \(.name)"' "$work/payload" >"$work/sums"
    (cd "$3" && sha256sum --check --strict --quiet "$work/sums") || fail "the files are not those that were certified"
    cut -c67- "$work/sums" >"$work/names"
    [ -z "$(find "$3/." -mindepth 1 ! -type f)" ] || fail "there are links or directories among the files"
    find "$3/." -mindepth 1 | sed 's|.*/||' | while read -r name; do
        case $name in README.md | safety-report.* | trials.jsonl | trials-R.safetensors) continue ;; esac
        grep -Fqx -- "$name" "$work/names" || fail "$name was not certified"
    done
    # The root digest: SHA-256 over the files' digests, in the order of the list.
    while read -r name; do openssl dgst -sha256 -binary "$3/$name"; done <"$work/names" >"$work/digests"
    [ "$(sha256sum <"$work/digests" | cut -d' ' -f1)" = \
        "$(jq -r '.subject[] | select(.name == "MODEL_DIR") | .digest.sha256' "$work/payload")" ] || fail "root digest"
fi
[ "$(jq -r .predicate.result "$work/payload")" = PASSED ] || fail "the result is not PASSED"
echo VERIFIED
