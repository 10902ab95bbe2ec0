#!/usr/bin/env bash
# The same work as one run of speckit-bot, as a bare shell script: no database, no queue, no checks, no second chance.
# One step after the other, in the same kind of containers, with the same programs of the same image.
#
# In:  API, CLONE_URL, REPOSITORY, TOKEN (a person's, with write access), ISSUE, COMMENT_ID, IMAGE, TEXT, BRANCH
# Out: the seconds from the start to the open pull request, and the pull request's number. Needs docker and curl.
set -euo pipefail

api() { # METHOD PATH [JSON]
  curl -fsS -X "$1" -H "Authorization: Bearer $TOKEN" -H 'Accept: application/vnd.github+json' \
    ${3:+--data "$3"} "$API/repos/$REPOSITORY$2"
}
number_of() { sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | head -n 1; }
first_id() { tr ',' '\n' | number_of id; }

work=$(mktemp -d)
boxes=()
trap '[ ${#boxes[@]} -eq 0 ] || docker rm -f "${boxes[@]}" >/dev/null; rm -rf "$work"' EXIT
began=$(date +%s%N)

api GET /collaborators/grace/permission >/dev/null
api POST "/issues/comments/$COMMENT_ID/reactions" '{"content":"eyes"}' >/dev/null
comment=$(api POST "/issues/$ISSUE/comments" '{"body":"Working on it."}' | first_id)
api GET '' >/dev/null

fs='rw,exec,nosuid,nodev,uid=1000,gid=1000,mode=0700'
start() { # NETWORK [ARGUMENT...]
  docker run --detach --label speckit-bot.bench=1 --network "$1" --read-only --cap-drop ALL \
    --security-opt no-new-privileges --pids-limit 512 --memory 4g --memory-swap 4g --cpus 2 --init --user 1000:1000 \
    --log-driver none --tmpfs "/tmp:$fs,size=256m" --tmpfs "/home/agent:$fs,size=256m" --tmpfs "/work:$fs,size=1g" \
    --tmpfs "/baseline:$fs,size=1g" "$IMAGE" sleep 600
}
git_box=$(start host)
boxes+=("$git_box")
job_box=$(start none)
boxes+=("$job_box")

login=$(printf 'x-access-token:%s' "$TOKEN" | base64 -w0)
docker exec -e GIT_CONFIG_COUNT=1 -e GIT_CONFIG_KEY_0="http.$CLONE_URL.extraHeader" \
  -e GIT_CONFIG_VALUE_0="Authorization: Basic $login" "$git_box" git clone -q --depth 1 "$CLONE_URL" /work/clone
docker exec "$git_box" git -C /work/clone archive HEAD | docker exec -i "$job_box" tar -x -C /work

snapshot='git add --all && git -c user.name=bare -c user.email=bare@localhost commit -q --allow-empty -m snapshot'
docker exec "$job_box" sh -c "git init -q . && $snapshot"
docker exec "$job_box" sh -c "specify init --here --force --non-interactive --integration codex --script sh \
  --ignore-agent-tools >/tmp/init.log && $snapshot && git diff --binary HEAD~1 HEAD" >"$work/0.patch"

text=$(printf '%s' "$TEXT" | sed 's/["\\]/\\&/g')
feature=
count=1
for phase in speckit_specify speckit_plan speckit_tasks; do
  printf '{"phase":"%s","text":"%s","date":"%s","feature_directory":"%s"}' \
    "$phase" "$text" "$(date +%F)" "$feature" >"$work/request.json"
  docker exec -i "$job_box" sh -c "cat >/home/agent/request.json && \
    speckit-template-agent /home/agent/request.json >&2 && $snapshot && git diff --binary HEAD~1 HEAD" \
    <"$work/request.json" >"$work/$count.patch" 2>"$work/agent.log"
  feature=$(sed -n 's|^+++ b/\(specs/[^/]*\)/.*|\1|p' "$work/$count.patch" | head -n 1)
  api PATCH "/issues/comments/$comment" "{\"body\":\"Did $phase.\"}" >/dev/null
  count=$((count + 1))
done

apply='git -C /work/clone apply --index - && git -C /work/clone -c user.name=bare -c user.email=bare@localhost commit -q -m'
docker exec -i "$git_box" sh -c "git -C /work/clone checkout -q -b $BRANCH && $apply 'Set up Spec Kit'" <"$work/0.patch"
cat "$work"/[123].patch | docker exec -i "$git_box" sh -c "$apply 'Add the specification'"
docker exec -e GIT_CONFIG_COUNT=1 -e GIT_CONFIG_KEY_0="http.$CLONE_URL.extraHeader" \
  -e GIT_CONFIG_VALUE_0="Authorization: Basic $login" "$git_box" git -C /work/clone push -q origin "$BRANCH"

pull=$(api POST /pulls "{\"title\":\"Bare\",\"head\":\"$BRANCH\",\"base\":\"main\",\"draft\":true,\"body\":\"Refs #$ISSUE\"}")
ended=$(date +%s%N)
printf '%s %s\n' "$(((ended - began) / 1000000))e-3" "$(printf '%s' "$pull" | sed 's/.*"number": *\([0-9]*\).*/\1/')"
