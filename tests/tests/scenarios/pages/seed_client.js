// A client that somebody would write from the document that the API comes from: an EventSource
// that is replaced by a new one when it fails, with a backoff of its own, and a watch over silence.
class SessionEventStream {
  constructor(sessionId, options = {}) {
    this.sessionId = sessionId;
    this.options = {
      reconnectInterval: 1000,
      maxReconnectInterval: 30000,
      reconnectDecay: 1.5,
      maxReconnectAttempts: 10,
      heartbeatTimeout: 60000,
      ...options,
    };
    this.source = null;
    this.attempts = 0;
    this.handlers = new Map();
    this.heard = Date.now();
    this.watch = null;
    this.connect();
  }

  connect() {
    this.source?.close();
    const source = new EventSource(`/api/session/${this.sessionId}/events`);
    this.source = source;
    source.onopen = () => {
      this.attempts = 0;
      clearInterval(this.watch);
      this.watch = setInterval(() => this.checkSilence(), this.options.heartbeatTimeout / 2);
      this.emit('open', { sessionId: this.sessionId, timestamp: Date.now() });
    };
    const names = {
      connected: 'connected',
      'session-output': 'output',
      'session-error': 'error',
      'session-status': 'status',
      'operations-detected': 'operations-detected',
      'operations-executed': 'operations-executed',
      'approval-request': 'approval-request',
    };
    for (const [kind, name] of Object.entries(names)) {
      source.addEventListener(kind, (event) => {
        this.heard = Date.now();
        this.emit(name, JSON.parse(event.data));
      });
    }
    source.onmessage = (event) => {
      this.heard = Date.now();
      this.emit('message', JSON.parse(event.data));
    };
    source.onerror = () => this.failed(source);
  }

  failed(source) {
    clearInterval(this.watch);
    if (source.readyState === EventSource.CLOSED) {
      this.emit('disconnected', { sessionId: this.sessionId, permanent: true });
      return;
    }
    if (this.attempts >= this.options.maxReconnectAttempts) {
      const reason = 'max_reconnect_attempts';
      this.emit('disconnected', { sessionId: this.sessionId, permanent: true, reason });
      return;
    }
    const { reconnectInterval, reconnectDecay, maxReconnectInterval } = this.options;
    const grown = reconnectInterval * reconnectDecay ** this.attempts;
    const delay = Math.min(grown, maxReconnectInterval);
    this.attempts += 1;
    this.emit('reconnecting', { attempt: this.attempts, delay });
    setTimeout(() => this.connect(), delay);
  }

  checkSilence() {
    if (Date.now() - this.heard > this.options.heartbeatTimeout) this.connect();
  }

  on(event, handler) {
    this.handlers.set(event, [...(this.handlers.get(event) ?? []), handler]);
  }

  emit(event, data) {
    for (const handler of this.handlers.get(event) ?? []) handler(data);
  }

  disconnect() {
    clearInterval(this.watch);
    this.source?.close();
    this.handlers.clear();
  }
}
window.SessionEventStream = SessionEventStream;
