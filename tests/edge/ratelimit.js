// The binding that `[[ratelimits]]` of wrangler.toml stands for, as far as tests need one: workerd has none
// of its own. Addresses of 203.0.113.0/24 (TEST-NET-3) get few requests, all others as many as they like:
// for them the Worker's own count is tested.
const LIMIT = 5;

class Ratelimit {
  #counts = new Map();

  async limit({ key }) {
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return { success: !key.startsWith("203.0.113.") || count <= LIMIT };
  }
}

export default () => new Ratelimit();
