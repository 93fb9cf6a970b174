// Notices about questions while no page is open. This file has both ends: as a service worker it shows
// what the relay sends by a push service; a page imports it to subscribe. Pages and their requests do
// not pass through the worker.

const ID = /^[a-zA-Z0-9_-]{8,32}$/;
const API = "/api/push";
// The subscription's id at the relay, while notices are on.
const KEPT = "moorline.push";

// The worker.

const tag = ({ session, approval }) => `moorline ${session} ${approval}`;

const isWatched = async () => {
  const windows = await clients.matchAll({ type: "window", includeUncontrolled: true });
  return windows.some(({ focused }) => focused);
};

const show = (message, body, more) =>
  registration.showNotification(String(message.name || "Moorline").slice(0, 100), {
    body: String(body).slice(0, 200),
    tag: tag(message),
    data: { session: ID.test(message.session) ? message.session : null },
    ...more,
  });

const told = async (message) => {
  if (message.kind === "asked") {
    // Who looks at a page sees the question there.
    if (!(await isWatched())) await show(message, message.title || "A question waits for you");
    return;
  }
  // Replaced rather than closed: browsers want each message to be shown, or show one of their own.
  const shown = await registration.getNotifications({ tag: tag(message) });
  if (shown.length > 0) await show(message, "Answered", { silent: true });
};

const open = async (session) => {
  const path = session ? `/session/${session}` : "/approvals";
  const windows = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find(({ url }) => new URL(url).pathname === path);
  await (there ? there.focus() : clients.openWindow(path));
};

if (globalThis.ServiceWorkerGlobalScope) {
  addEventListener("install", () => skipWaiting());
  addEventListener("push", (event) => {
    let message = {};
    try {
      message = event.data.json();
    } catch {}
    event.waitUntil(told(message));
  });
  addEventListener("notificationclick", (event) => {
    event.notification.close();
    event.waitUntil(open(event.notification.data?.session));
  });
}

// The page.

const ask = async (token, method, path, body) => {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const read = await answer.json();
  if (!answer.ok) throw new Error(read.message ?? read.error);
  return read;
};

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (it) => it.charCodeAt(0));

const same = (one, other) => one !== null && String(new Uint8Array(one)) === String(other);

// Subscribes, or renews what the relay knows.
const turnOn = async (token) => {
  const { publicKey } = await ask(token, "GET", API);
  await navigator.serviceWorker.register("/push.js", { scope: "/" });
  const { pushManager } = await navigator.serviceWorker.ready;
  let subscription = await pushManager.getSubscription();
  // The relay may have another key, or be another one.
  if (subscription && !same(subscription.options.applicationServerKey, bytes(publicKey))) {
    await subscription.unsubscribe();
    subscription = null;
  }
  const options = { userVisibleOnly: true, applicationServerKey: bytes(publicKey) };
  subscription ??= await pushManager.subscribe(options);
  const { id } = await ask(token, "POST", `${API}/subscriptions`, subscription);
  localStorage.setItem(KEPT, id);
};

const turnOff = async (token) => {
  const id = localStorage.getItem(KEPT);
  localStorage.removeItem(KEPT);
  const registration = await navigator.serviceWorker.getRegistration("/");
  const subscription = await registration?.pushManager.getSubscription();
  await Promise.allSettled([
    subscription?.unsubscribe(),
    id && ask(token, "DELETE", `${API}/subscriptions/${id}`),
    close([]),
  ]);
  await registration?.unregister();
};

// Closes the notices of sessions that do not ask any more.
const close = async (asking) => {
  const registration = await navigator.serviceWorker.getRegistration("/");
  for (const notice of (await registration?.getNotifications()) ?? []) {
    if (!asking.includes(notice.data?.session)) notice.close();
  }
};

globalThis.moorlinePush = {
  isOffered: async (token) => Boolean((await ask(token, "GET", API)).publicKey),
  turnOn,
  turnOff,
  close,
};
