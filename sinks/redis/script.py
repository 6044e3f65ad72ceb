"""The one script that writes: compare-and-set of a position, together with its state."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import redis
from redis.exceptions import NoScriptError, RedisError

from sinks.redis.errors import address, redis_errors, translated

# KEYS: [1] the position, [2..n] plain values, [n+1] the timers (only if there are any).
# ARGV: [1] expected position ('' for none), [2] n, [2+i] the new value of KEYS[i] ('' deletes), then
#       pairs (due or '', customer).
# Nothing after the first write can fail: the position's type is checked by the GET, the timers' by their first
# change, MSET and DEL take any type, and Redis checks memory only before a script's first write. MSET by the 500
# takes Redis two thirds of the time of a SET each, and ZADD by the 500 four fifths of the whole script's time with a
# ZADD each (Valkey 9.1); Lua's stack holds 8,000 arguments.
SOURCE = b"""
local stored = redis.call('GET', KEYS[1])
if stored == ARGV[3] then return 1 end
if (stored or '') ~= ARGV[1] then return 0 end
local n = tonumber(ARGV[2])
local pairs, count = {}, 0
for i = n + 3, #ARGV, 2 do
  if ARGV[i] == '' then redis.call('ZREM', KEYS[n + 1], ARGV[i + 1])
  else
    pairs[count + 1], pairs[count + 2] = ARGV[i], ARGV[i + 1]
    count = count + 2
    if count == 1000 then
      redis.call('ZADD', KEYS[n + 1], unpack(pairs, 1, count))
      count = 0
    end
  end
end
if count > 0 then redis.call('ZADD', KEYS[n + 1], unpack(pairs, 1, count)) end
count = 0
for i = 1, n do
  local value = ARGV[i + 2]
  if value == '' then redis.call('DEL', KEYS[i])
  else
    pairs[count + 1], pairs[count + 2] = KEYS[i], value
    count = count + 2
    if count == 1000 then
      redis.call('MSET', unpack(pairs, 1, count))
      count = 0
    end
  end
end
if count > 0 then redis.call('MSET', unpack(pairs, 1, count)) end
return 1
"""
DIGEST = hashlib.sha1(SOURCE, usedforsecurity=False).hexdigest()


class Write(NamedTuple):
    """The keys and arguments of one call of the script, as laid out above."""

    keys: Sequence[bytes]
    arguments: Sequence[bytes]


def write(client: redis.Redis, writes: Sequence[Write]) -> list[bool]:
    """Run the script once per write, in one round trip; return whether each was written, now or before."""
    with redis_errors(client):
        replies = _send(client, writes)
        if any(isinstance(reply, NoScriptError) for reply in replies):
            client.script_load(SOURCE)
            # A write that succeeded before reports it again: its position is the new one.
            replies = _send(client, writes)
    for reply in replies:
        if isinstance(reply, RedisError):
            raise translated(reply, address(client)) from reply
    return [bool(reply) for reply in replies]


def _send(client: redis.Redis, writes: Sequence[Write]) -> list[object]:
    pipeline: Any
    with client.pipeline(transaction=False) as pipeline:
        for keys, arguments in writes:
            pipeline.execute_command("EVALSHA", DIGEST, len(keys), *keys, *arguments)
        return list(pipeline.execute(raise_on_error=False))
