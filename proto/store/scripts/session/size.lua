#!lua flags=no-writes
-- S. -> bytes that the session takes, 0: it is not there, or another's.
-- owner.
return {'ok', owned(KEYS[1], ARGV[1]) and session_bytes(KEYS[1]) or 0}
