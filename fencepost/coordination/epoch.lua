-- EPOCH: name the memory that this server has now.
--
-- The epoch is run_id:nonce. It is kept while its key is there and was written by this very server process; else a new one
-- is made. So a restart, a fail-over to a replica and a FLUSHALL all change it, and no value is ever used twice.
--
-- KEYS[1]  f:epoch    the epoch, a string
-- ARGV[1]  nonce      random, never used before; becomes part of the epoch if a new one has to be made
-- ARGV[2]  seconds    how long the epoch lives unless a script renews it: at most half as long as a record
--
-- Answers the epoch.

local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local epoch = redis.call('GET', KEYS[1])

if epoch and string.match(epoch, '^(%w+):') == run_id then
  -- The same value again, where EXPIRE would do: a Redis that is full refuses this, and so tells that it can't be written to.
  redis.call('SET', KEYS[1], epoch, 'EX', ARGV[2])
  return epoch
end

epoch = run_id .. ':' .. ARGV[1]
redis.call('SET', KEYS[1], epoch, 'EX', ARGV[2])
return epoch
