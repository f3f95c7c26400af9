-- Appends what is new, whole or not at all: Redis runs nothing else meanwhile, and every check stands before the first write.
-- KEYS: head (a hash), entries (a stream), ids (a sorted set). ARGV: a base for a new life, how many entries are kept,
-- then a hash of its id and its JSON for each change.
local head, entries, ids = KEYS[1], KEYS[2], KEYS[3]
local base = redis.call('HGET', head, 'base')
local seq = tonumber(redis.call('HGET', head, 'seq') or '')
local trimmed = tonumber(redis.call('HGET', head, 'trimmed_to') or '')
local last = redis.call('XREVRANGE', entries, '+', '-', 'COUNT', 1)[1]
local number = function(n) return string.format('%.0f', n) end
redis.call('ZCARD', ids)
-- The newest entry is the one that the head counts, or something was lost or put in: then this is another life.
local sound = base and seq and trimmed and last and last[1] == number(seq) .. '-0'
if not sound then
  redis.call('DEL', head, entries, ids)
  base, seq, trimmed = ARGV[1], 0, 0
end
for i = 3, #ARGV, 2 do
  if not redis.call('ZSCORE', ids, ARGV[i]) then
    seq = seq + 1
    redis.call('XADD', entries, number(seq) .. '-0', 'change', ARGV[i + 1])
    redis.call('ZADD', ids, number(seq), ARGV[i])
  end
end
local keep = tonumber(ARGV[2])
if seq - trimmed > keep then
  trimmed = seq - keep
  redis.call('XTRIM', entries, 'MINID', number(trimmed + 1))
  redis.call('ZREMRANGEBYSCORE', ids, '-inf', number(trimmed))
end
redis.call('HSET', head, 'base', base, 'seq', number(seq), 'trimmed_to', number(trimmed))
return { base, number(seq) }
