-- Who came first with a content: the memory of the breaker, many in one call. It decides nothing; the fence does.
--
-- KEYS[i]       f:c:<content>      the mark of the first delivery that asked with this content
-- ARGV[1]       milliseconds       how long that is remembered
-- ARGV[i + 1]   the mark of delivery i
--
-- Answers one mark for each key, in order: who came first, which is the asker's own if nobody did. Asking again says the same.

local answers = {}
for i = 1, #KEYS do
  local first = redis.call('GET', KEYS[i])
  if not first then
    first = ARGV[i + 1]
    redis.call('SET', KEYS[i], first, 'PX', ARGV[1])
  end
  answers[i] = first
end
return answers
