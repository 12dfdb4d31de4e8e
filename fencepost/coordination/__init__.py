"""Who may send what: shard leases in etcd, the last check before a call in Redis.

The only importer of etcd3gw and redis.
"""
