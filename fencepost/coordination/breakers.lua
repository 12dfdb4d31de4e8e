-- SYNC: take reports of how calls to providers ended, and answer how each provider stands. All senders share what is here.
--
--   closed      mail goes to it
--   open        none goes, until `retry`
--   half_open   one mail at a time, of all senders, finds out: whoever holds the grant may call
--   recovering  it took that mail: its share of traffic grows from a start to all of it
--
-- KEYS[1]       b:changes          changes of state that are not on record elsewhere yet, oldest first, as JSON
-- KEYS[2]       b:changed          how many there have been
-- KEYS[2 + i]   b:<provider>       what is known of provider i, a hash; instants in milliseconds of the server's clock
--
-- ARGV[1..12]   who; first and longest pause (ms); refusals and doubts in a row that open; share (percent) of how many calls that
--               opens, within how long (ms); start of the share when it recovers (percent), how long until it doubles (ms);
--               how long a grant lasts (ms); after how long one that gets no mail, and that nobody wants, is forgotten (ms)
-- then thirteen for each provider:
--   name
--   wants       1: there is mail to find out with
--   returns     1: the grant was not used
--   calls, failures       since the last report
--   succeeded   1: one of them was answered as it should be
--   refusals, doubts      in a row, after the last that was
--   misconfigured         1: it refused us
--   ago         how long ago the newest of the failed calls began (ms)
--   wait        it asked to be left alone for so long (ms)
--   probe       how the call of the grant ended: ok, failed, spent (neither); empty: there was none
--   reason      a sentence about the failures
--
-- Answers one array for each provider:
--   {state, for how long (ms), until it may be tried again (ms; negative: for how long it may), asked to wait (ms), share (percent), reason, misconfigured (1),
--    how long the grant is the caller's (ms; 0: it is not), how often it was opened in a row}

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local who = ARGV[1]
local first_pause, longest_pause = tonumber(ARGV[2]), tonumber(ARGV[3])
local refusals_to_open, doubts_to_open = tonumber(ARGV[4]), tonumber(ARGV[5])
local share_to_open, calls_to_judge, window = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local ramp_start, ramp_double = tonumber(ARGV[9]), tonumber(ARGV[10])
local grant_lasts, forget_after = tonumber(ARGV[11]), tonumber(ARGV[12])
local HEAD, EACH = 12, 13
local LONGEST_WAIT = 86400000 -- nobody reports a longer one

local NUMBERS = {'since', 'retry', 'wait', 'trips', 'misconfigured', 'refusals', 'doubts', 'bucket', 'calls', 'failures',
                 'calls_before', 'failures_before', 'grant_ends'}
local TEXTS = {'state', 'reason', 'grant'}

local function read(key)
  local hash, found = {}, redis.call('HGETALL', key)
  for i = 1, #found, 2 do hash[found[i]] = found[i + 1] end
  for _, name in ipairs(NUMBERS) do hash[name] = tonumber(hash[name] or '0') end
  for _, name in ipairs(TEXTS) do hash[name] = hash[name] or '' end
  if hash.state == '' then hash.state = 'closed' end
  -- A clock that was set back must not stop everything until it has come so far again.
  hash.since = math.min(hash.since, now)
  hash.retry = math.min(hash.retry, now + longest_pause)
  hash.wait = math.min(hash.wait, now + LONGEST_WAIT)
  hash.grant_ends = math.min(hash.grant_ends, now + grant_lasts)
  return hash
end

local function write(key, it)
  local fields = {}
  for _, name in ipairs(NUMBERS) do
    fields[#fields + 1] = name
    fields[#fields + 1] = string.format('%.0f', it[name])
  end
  for _, name in ipairs(TEXTS) do
    fields[#fields + 1] = name
    fields[#fields + 1] = it[name]
  end
  redis.call('HSET', key, unpack(fields))
end

local function change(it, name, to, reason)
  local number = redis.call('INCR', KEYS[2])
  local entry = {number = number, provider = name, from = it.state, to = to, reason = reason, at = string.format('%.0f', now), who = who}
  redis.call('RPUSH', KEYS[1], cjson.encode(entry))
  it.state, it.since = to, now
  it.grant, it.grant_ends = '', 0
  it.refusals, it.doubts = 0, 0
  it.calls, it.failures, it.calls_before, it.failures_before = 0, 0, 0, 0
end

local function open(it, name, reason, misconfigured)
  it.retry = now + math.min(longest_pause, first_pause * 2 ^ math.min(it.trips, 20))
  it.trips = it.trips + 1
  it.reason, it.misconfigured = reason, misconfigured
  change(it, name, 'open', reason)
end

-- The share of its traffic that a recovering provider gets: the start, doubled so often as time has passed for.
local function share(it)
  if it.state == 'closed' then return 100 end
  if it.state ~= 'recovering' then return 0 end
  return math.min(100, ramp_start * 2 ^ math.min(20, math.floor((now - it.since) / ramp_double)))
end

-- What happened in the half window that goes on, and in the one before it.
local function count(it, calls, failures)
  local half = math.max(1, window / 2)
  local bucket = math.floor(now / half)
  if bucket ~= it.bucket then
    local follows = bucket == it.bucket + 1
    it.calls_before, it.failures_before = follows and it.calls or 0, follows and it.failures or 0
    it.calls, it.failures, it.bucket = 0, 0, bucket
  end
  it.calls, it.failures = it.calls + calls, it.failures + failures
  return it.calls + it.calls_before, it.failures + it.failures_before
end

-- Why these failures open it; nil if they don't.
local function verdict(it, calls, failures, refused, misconfigured, reason)
  if failures == 0 then return nil end
  if misconfigured == 1 then return reason end
  if it.state == 'recovering' and refused > 0 then return 'It failed again: ' .. reason end
  if it.refusals >= refusals_to_open then return string.format('%d calls in a row failed: %s', it.refusals, reason) end
  if it.doubts >= doubts_to_open then return string.format('%d calls in a row ended in doubt: %s', it.doubts, reason) end
  if calls >= calls_to_judge and failures * 100 >= share_to_open * calls then
    return string.format('%d of %d calls failed: %s', failures, calls, reason)
  end
  return nil
end

local answers = {}

for i = 1, #KEYS - 2 do
  local at = HEAD + (i - 1) * EACH
  local name, wants, returns = ARGV[at + 1], ARGV[at + 2] == '1', ARGV[at + 3] == '1'
  local calls, failures, succeeded = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), ARGV[at + 6] == '1'
  local refusals, doubts, misconfigured = tonumber(ARGV[at + 7]), tonumber(ARGV[at + 8]), tonumber(ARGV[at + 9])
  local began, wait = now - tonumber(ARGV[at + 10]), tonumber(ARGV[at + 11])
  local probe, reason = ARGV[at + 12], ARGV[at + 13]
  local key = KEYS[i + 2]
  local it = read(key)

  if wait > 0 then it.wait = math.max(it.wait, now + wait) end

  if it.state == 'recovering' and share(it) >= 100 then
    it.reason, it.misconfigured, it.trips = '', 0, 0
    change(it, name, 'closed', 'Its traffic has returned in full.')
  end

  if it.state == 'closed' or it.state == 'recovering' then
    -- Calls that were under way together fail together, if not at once: what began before this state is not news.
    if failures > 0 and began < it.since then failures, refusals, doubts, misconfigured = 0, 0, 0, 0 end
    it.refusals = succeeded and refusals or it.refusals + refusals
    it.doubts = succeeded and doubts or it.doubts + doubts
    local all, failed = count(it, calls, failures)
    local why = verdict(it, all, failures > 0 and failed or 0, refusals, misconfigured, reason)
    if why then open(it, name, why, misconfigured) end
  elseif it.state == 'half_open' and it.grant == who then
    if probe == 'ok' then
      it.trips = 0
      change(it, name, 'recovering', 'It took a mail: its traffic returns bit by bit.')
    elseif probe == 'failed' then
      open(it, name, 'It failed again: ' .. reason, misconfigured)
    elseif probe == 'spent' or returns then
      it.grant, it.grant_ends = '', 0
    end
  end

  if it.state == 'open' and wants and now >= it.retry then
    change(it, name, 'half_open', 'One mail at a time finds out whether it is well again.')
  end
  if it.state == 'half_open' and wants and now >= it.wait and (it.grant == '' or now >= it.grant_ends) then
    it.grant, it.grant_ends, it.retry = who, now + grant_lasts, now
  end
  local nobody_finds_out = it.state == 'open' or (it.state == 'half_open' and (it.grant == '' or now >= it.grant_ends))
  if nobody_finds_out and not wants and now >= math.max(it.retry, it.wait) + forget_after then
    it.reason, it.misconfigured, it.trips = '', 0, 0
    change(it, name, 'closed', 'Nobody needed it for a while: it is tried anew.')
  end

  write(key, it)
  local mine = it.grant == who and math.max(0, it.grant_ends - now) or 0
  answers[i] = {it.state, now - it.since, it.retry - now, math.max(0, it.wait - now), math.floor(share(it)),
                it.reason, it.misconfigured, mine, it.trips}
end

return answers
