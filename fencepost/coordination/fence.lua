-- CLAIM and KILL: decide attempts, each on its own, many in one call.
--
-- A delivery's record is the highest attempt number that was decided, and by whom: an attempt's id, or the word "killed".
-- It only grows: no script deletes a record or lowers its number, so a number that was killed or passed can never claim.
-- Asking again with the same arguments gives the same answer, so a lost reply may be asked for again.
--
-- KEYS[1]       f:epoch            run_id:nonce; every call renews its expiry
-- KEYS[2i]      f:tok:<shard>      the highest token seen for the shard of request i, a number
-- KEYS[2i + 1]  f:d:<delivery>     the record of the delivery of request i: "<number> <attempt id>" or "<number> killed"
--
-- ARGV[1]       verb               "claim" (may this attempt call the provider?) or "kill" (may it be taken for dead?)
-- ARGV[2]       record seconds     how long a record, and a shard's token, live after they were written
-- ARGV[3]       epoch seconds      how long the epoch lives unless renewed: at most half of ARGV[2]
-- then five for each request i, in the order of its keys:
--   epoch       the epoch that its row remembers
--   token       the number of the caller's token for the shard
--   no          the attempt's number
--   attempt     the attempt's id; empty for a kill
--   attempts    the ids of all attempts in the row's own history, separated by spaces
--
-- Answers one array {verdict, number, holder} for each request, in order:
--   OK          the attempt is recorded (claim), or its number is dead (kill)
--   EPOCH       the epoch's key is gone, was written by another server process, or is not the row's
--   STALE       a higher token was seen for this shard; `number` is that token
--   KILLED      claim only: this number was killed
--   TAKEN       anything else; `number` and `holder` are the record's

local verb, record_seconds, epoch_seconds = ARGV[1], ARGV[2], ARGV[3]
local KILLED = 'killed'

local function current_epoch()
  local epoch = redis.call('GET', KEYS[1])
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  if not epoch or string.match(epoch, '^(%w+):') ~= run_id then
    return nil
  end
  return epoch
end

-- The highest token of the shard if it outranks this one; else this one becomes the highest. Tokens are compared as numbers
-- and stored as the text that came: Lua would write numbers of this size with an exponent.
local function superseded_by(floor_key, token)
  local floor = redis.call('GET', floor_key)
  if floor and tonumber(token) < tonumber(floor) then
    return floor
  end
  if not floor or tonumber(token) > tonumber(floor) then
    redis.call('SET', floor_key, token, 'EX', record_seconds)
  end
  return nil
end

local function is_own(holder, attempts)
  return holder == KILLED or string.find(' ' .. attempts .. ' ', ' ' .. holder .. ' ', 1, true) ~= nil
end

local function decide(record_key, no, attempt, attempts)
  local record = redis.call('GET', record_key)
  if record then
    local found, holder = string.match(record, '^(%d+) (.+)$')
    local recorded, asked = tonumber(found), tonumber(no)
    if recorded == asked then
      if verb == 'claim' and holder == attempt then return {'OK', found, holder} end
      if verb == 'claim' and holder == KILLED then return {'KILLED', found, holder} end
      if verb == 'kill' and holder == KILLED then return {'OK', found, holder} end
      return {'TAKEN', found, holder}
    end
    if recorded > asked or not is_own(holder, attempts) then
      return {'TAKEN', found, holder}
    end
  end
  local winner = verb == 'claim' and attempt or KILLED
  redis.call('SET', record_key, no .. ' ' .. winner, 'EX', record_seconds)
  return {'OK', no, winner}
end

local epoch = current_epoch()
local answers = {}

for i = 1, (#KEYS - 1) / 2 do
  local at = 4 + (i - 1) * 5
  local row_epoch, token, no, attempt, attempts = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  if row_epoch ~= epoch then
    answers[i] = {'EPOCH', '0', ''}
  else
    local higher = superseded_by(KEYS[2 * i], token)
    answers[i] = higher and {'STALE', higher, ''} or decide(KEYS[2 * i + 1], no, attempt, attempts)
  end
end

-- Last: Redis asks whether its memory is full at a script's first write only, and never for this one.
if epoch then
  redis.call('EXPIRE', KEYS[1], epoch_seconds)
end

return answers
