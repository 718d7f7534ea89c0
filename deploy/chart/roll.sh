#!/bin/sh
# Replaces the storage nodes of a release one by one, as they were before the last `helm upgrade`, by what they are to be now. Each is
# taken only while the whole cluster is healthy by `ashlar status`: every node up, and nothing waiting to be repaired. May be
# interrupted and run again: nodes that are new already are left alone.
#
#     roll.sh [-n NAMESPACE] [-t SECONDS] FULLNAME
#
# FULLNAME begins the names of the release's StatefulSets: RELEASE-ashlar, or what fullnameOverride says. -t is how long a node may
# take until the cluster is healthy again (3600).
set -eu

namespace=default
seconds=3600
while getopts n:t: option; do
  case $option in
    n) namespace=$OPTARG ;;
    t) seconds=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
if [ $# -ne 1 ]; then
  echo 'usage: roll.sh [-n NAMESPACE] [-t SECONDS] FULLNAME' >&2
  exit 2
fi
full=$1

kube() { kubectl --namespace "$namespace" "$@"; }

healthy() { kube exec "deployment/$full-worker" -- ashlar status >/dev/null 2>&1; }

ready() {
  [ "$(kube get pod "$1" --output 'jsonpath={.metadata.labels.controller-revision-hash} {.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null)" = "$2 True" ]
}

# Until then its revision is still that of before the upgrade, by which all of its pods are new.
observed() {
  generations=$(kube get statefulset "$1" --output 'jsonpath={.metadata.generation} {.status.observedGeneration}')
  [ "${generations% *}" = "${generations#* }" ]
}

# $1 what is waited for, the rest: the command that succeeds once it is so
await() {
  what=$1
  shift
  until_=$(($(date +%s) + seconds))
  until "$@"; do
    if [ "$(date +%s)" -ge "$until_" ]; then
      echo "roll.sh: $what: not within $seconds s; nothing more is replaced" >&2
      exit 1
    fi
    sleep "${ROLL_POLL_SECONDS:-5}"
  done
}

# Another release's name may begin with this one's: what tells them apart is in the labels.
selector=$(kube get deployment "$full-worker" --output 'jsonpath=app.kubernetes.io/name={.metadata.labels.app\.kubernetes\.io/name},app.kubernetes.io/instance={.metadata.labels.app\.kubernetes\.io/instance}')
sets=$(kube get statefulset --selector "$selector,app.kubernetes.io/component=storage" --output 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}')
for set in $sets; do
  await "$set is known to its controller as it is to be now" observed "$set"
  revision=$(kube get statefulset "$set" --output 'jsonpath={.status.updateRevision}')
  count=$(kube get statefulset "$set" --output 'jsonpath={.spec.replicas}')
  index=0
  while [ "$index" -lt "$count" ]; do
    pod=$set-$index
    index=$((index + 1))
    if ready "$pod" "$revision"; then continue; fi
    echo "$pod: waiting for a healthy cluster"
    await "the cluster is healthy" healthy
    echo "$pod: replacing"
    kube delete pod "$pod" --wait=true >/dev/null
    await "$pod is ready" ready "$pod" "$revision"
  done
done
await 'the cluster is healthy' healthy
echo 'all storage nodes are new, and the cluster is healthy'
