// Where sessions live. Both halves have the same three members, and server.js can't tell them apart.
import { RedisStore } from "connect-redis";
import session from "express-session";
import { createClient } from "redis";

const TTL_S = 3600;

// In this process: gone when it dies, and unknown to every other one.
async function memory() {
  return {
    store: new session.MemoryStore(),
    ping: async () => {},
    close: async () => {},
  };
}

// In the Redis that all instances ask; the cookie is only a name for what is there.
async function redis() {
  const client = createClient({
    url: process.env.REDIS_URL,
    socket: {
      connectTimeout: 1000,
      socketTimeout: 3000, // A Redis that answers not even pings is away too.
      reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, 1000),
    },
    // While Redis is away a request is better refused at once than kept waiting.
    disableOfflineQueue: true,
    pingInterval: 1000,
  });
  // Without a listener the first lost connection would end the process; with one, the client connects again.
  client.on("error", (error) => console.error("redis:", error.message || error.code));
  await client.connect();
  return {
    store: new RedisStore({ client, ttl: TTL_S }),
    ping: () => client.ping(),
    close: () => client.close(),
  };
}

export const stores = { memory, redis };
