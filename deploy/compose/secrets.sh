#!/bin/sh
# Makes what a cluster of these compose files has to itself: its identity (.env) and its secrets (secrets/), at random. What is
# there already is kept, so it may be run again.
#
# The files in secrets/ can be read by all, so that the user of the containers can read them where they are mounted; the folder
# only by its owner, so that nobody else on this machine can.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets

# $1 random bytes in hex
random() { od -An -v -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# Keeps what comes in as the file secrets/$1, unless that is there.
keep() {
  [ -e "secrets/$1" ] && { cat >/dev/null; return; }
  cat >"secrets/$1.new"
  chmod 444 "secrets/$1.new"
  mv "secrets/$1.new" "secrets/$1"
  echo "made secrets/$1"
}

if [ ! -e .env ]; then
  {
    echo "# The cluster's identity. It stays the same as long as the cluster lives."
    echo "ASHLAR_CLUSTER_ID=$(random 16)"
    echo "# Set it to true once the cluster serves: metadata then refuses to begin anew where it finds nothing."
    echo "ASHLAR_EXISTING=false"
  } >.env
  echo 'made .env'
fi
random 32 | keep cluster-secret
printf '{ "accessKeyId": "ASHL%s", "secretAccessKey": "%s" }\n' "$(random 8 | tr a-f A-F)" "$(random 20)" | keep root-credentials.json
random 16 | keep postgres-password
printf '{ "engine": "postgres://ashlar:%s@postgres/ashlar?sslmode=disable" }\n' "$(cat secrets/postgres-password)" | keep postgres-engine.json
