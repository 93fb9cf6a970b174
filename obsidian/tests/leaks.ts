// A stand-in for Obsidian, for tests only: counts what a plugin may leave behind.

/** What is open now: listeners of window and document, timers, sockets, observers and frames. */
export interface Open {
  listeners: number;
  timers: number;
  sockets: number;
  observers: number;
  frames: number;
}

const listeners = new Map<string, Set<unknown>>();
const timers = new Set<number>();
const sockets = new Set<WebSocket>();
const observers = new Set<IntersectionObserver>();

export function watchForLeaks(): void {
  for (const target of [window, document]) {
    const { addEventListener, removeEventListener } = target;
    const of = (type: string): Set<unknown> => {
      const key = `${target === window ? "window" : "document"} ${type}`;
      const known = listeners.get(key) ?? new Set();
      listeners.set(key, known);
      return known;
    };
    Object.assign(target, {
      addEventListener(type: string, listener: EventListener, ...rest: unknown[]) {
        of(type).add(listener);
        Reflect.apply(addEventListener, target, [type, listener, ...rest]);
      },
      removeEventListener(type: string, listener: EventListener, ...rest: unknown[]) {
        of(type).delete(listener);
        Reflect.apply(removeEventListener, target, [type, listener, ...rest]);
      },
    });
  }
  const { setTimeout, clearTimeout, setInterval, clearInterval } = window;
  Object.assign(window, {
    setTimeout(work: () => void, ms?: number) {
      const id = setTimeout(() => {
        timers.delete(id);
        work();
      }, ms) as unknown as number;
      timers.add(id);
      return id;
    },
    clearTimeout(id: number) {
      timers.delete(id);
      clearTimeout(id);
    },
    setInterval(work: () => void, ms?: number) {
      const id = setInterval(work, ms) as unknown as number;
      timers.add(id);
      return id;
    },
    clearInterval(id: number) {
      timers.delete(id);
      clearInterval(id);
    },
    WebSocket: class extends WebSocket {
      constructor(url: string, protocols?: string[]) {
        super(url, protocols);
        sockets.add(this);
      }
    },
    IntersectionObserver: class extends IntersectionObserver {
      override observe(target: Element) {
        observers.add(this);
        super.observe(target);
      }
      override disconnect() {
        observers.delete(this);
        super.disconnect();
      }
    },
  });
}

export function open(): Open {
  const isOpen = (socket: WebSocket): boolean => socket.readyState <= WebSocket.OPEN;
  return {
    listeners: [...listeners.values()].reduce((sum, known) => sum + known.size, 0),
    timers: timers.size,
    sockets: [...sockets].filter(isOpen).length,
    observers: observers.size,
    frames: document.querySelectorAll("iframe").length,
  };
}
