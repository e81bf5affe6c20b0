// Login and a note, both kept in the session. SESSION_STORE says where sessions live: memory or redis.
import express from "express";
import session from "express-session";
import { stores } from "./stores.js";

const { HOST = "127.0.0.1", PORT = "8000", SESSION_STORE = "memory", SESSION_SECRET } = process.env;
if (!SESSION_SECRET) throw new Error("SESSION_SECRET is missing: all instances share one");
if (!Object.hasOwn(stores, SESSION_STORE)) throw new Error(`SESSION_STORE is one of ${Object.keys(stores)}`);

const sessions = await stores[SESSION_STORE]();
const app = express();
app.disable("x-powered-by");

// Before the session middleware, so that probes make none.
app.get("/healthz", async (req, res) => {
  await sessions.ping();
  res.json({ ok: true });
});

app.use(express.json());
app.use(
  session({
    store: sessions.store,
    secret: SESSION_SECRET,
    name: "sid",
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: "lax" },
  }),
);

// express-session's own save at the end of a response answers 200 even when the store refused it.
// So whatever changes a session waits for the store itself, and answers afterwards.
const kept = (req, method) =>
  new Promise((resolve, reject) => req.session[method]((error) => (error ? reject(error) : resolve())));

const authenticated = (req, res, next) => (req.session.user ? next() : res.sendStatus(401));

app.post("/login", async (req, res) => {
  const { user, password } = req.body ?? {};
  if (typeof user !== "string" || !user || password !== "pw") return res.sendStatus(401);
  await kept(req, "regenerate"); // A new id, so that nobody can plant one before the login.
  req.session.user = user;
  await kept(req, "save");
  res.json({ user });
});

app.get("/me", authenticated, (req, res) => res.json({ user: req.session.user }));

app.post("/logout", async (req, res) => {
  await kept(req, "destroy");
  res.clearCookie("sid").sendStatus(204);
});

app.put("/note", authenticated, async (req, res) => {
  if (typeof req.body?.text !== "string") return res.sendStatus(400);
  req.session.note = req.body.text;
  await kept(req, "save");
  res.sendStatus(204);
});

app.get("/note", authenticated, (req, res) => res.json({ text: req.session.note ?? null }));

// What is not the client's fault is the store's: nothing else here can fail.
app.use((error, req, res, next) => {
  if (res.headersSent) return next(error);
  req.session = null; // Or express-session would save at the end what couldn't be saved before.
  const status = error.status ?? 503;
  if (status >= 500) console.error(error.message);
  res.status(status).json({ error: status < 500 ? error.message : "try again" });
});

const server = app.listen(Number(PORT), HOST, (error) => {
  if (error) throw error;
  console.log(`sessions in ${SESSION_STORE}, http://${HOST}:${PORT}`);
});

// As process 1 of a container Node would ignore SIGTERM; here it finishes what it began, and ends.
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => server.close(() => sessions.close()));
}
