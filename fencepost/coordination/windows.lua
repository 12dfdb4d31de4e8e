-- TAKE: one of so many that there are in any stretch of time of this length, all at once if need be.
--
-- KEYS[1]     w:<name>   a list of the instants of what was taken, microseconds, the newest first; never more than the most
-- ARGV        most       how many there are
--             window     the length of the stretch, microseconds
--
-- Answers {taken (0 or 1), how many are left, microseconds until there is one more}.

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local most, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local count = redis.call('LLEN', KEYS[1])
local oldest = now

while count > 0 do
  oldest = tonumber(redis.call('LINDEX', KEYS[1], -1))
  -- What lies ahead was taken before the clock was set back: it must not stand there until the clock has come so far again.
  if oldest <= now and now - oldest < window then break end
  redis.call('RPOP', KEYS[1])
  count, oldest = count - 1, now
end

if count >= most then
  return {0, 0, oldest + window - now}
end
redis.call('LPUSH', KEYS[1], string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', window / 1000 + 1000))
return {1, most - count - 1, oldest + window - now}
