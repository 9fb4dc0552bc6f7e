/** The way to a terminal elsewhere: a server passes on what is said, sealed with keys that follow from the code behind # in the link. */
const utf8 = new TextEncoder();
const AGAIN_MS = 1000;

/** What there is to say to whoever came in vain. */
export class Refused extends Error {}

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));

async function keysOf(code) {
  const material = await crypto.subtle.importKey('raw', utf8.encode(code), 'HKDF', false, ['deriveBits', 'deriveKey']);
  const by = (purpose) => ({
    name: 'HKDF',
    hash: 'SHA-256',
    salt: utf8.encode('nat-tool'),
    info: utf8.encode(`nat-tool web ${purpose}`),
  });
  const key = (purpose, use) =>
    crypto.subtle.deriveKey(by(purpose), material, { name: 'AES-GCM', length: 256 }, false, [use]);
  const room = base64url(new Uint8Array(await crypto.subtle.deriveBits(by('room'), material, 128)));
  return { room, ours: await key('browser', 'encrypt'), theirs: await key('terminal', 'decrypt') };
}

const parameters = (room, nonce) => ({ name: 'AES-GCM', iv: nonce, additionalData: utf8.encode(room) });

const randomId = () => base64url(crypto.getRandomValues(new Uint8Array(16)));

export class SealedLine {
  #keys;
  #member;
  #instance = randomId();
  #serial = Date.now() * 1024;
  #heard = 0;
  #last = 0;
  #saying = Promise.resolve();
  #handlers = {};
  #early = [];
  #lost = () => {};
  #open = true;
  #bye;

  /** Rejects with Refused where the link is good for nothing (any more). */
  static async open(code) {
    if (!crypto.subtle) throw new Refused('This page needs https: over plain http the browser keeps its ciphers back.');
    if (!/^[0-9a-z]{5}(?:-[0-9a-z]{5}){3}$/.test(code))
      throw new Refused('The link is not whole: what stands behind # is missing or broken. Ask for it again.');
    const line = new SealedLine();
    line.#keys = await keysOf(code);
    // Whoever holds the link in this tab goes on holding it when the page is loaded anew.
    const kept = `nat-tool ${line.#keys.room}`;
    line.#member = sessionStorage.getItem(kept) ?? randomId();
    sessionStorage.setItem(kept, line.#member);
    line.#bye = await line.#sealed({ kind: 'bye', instance: line.#instance });
    void line.#listen();
    return line;
  }

  /** What the terminal wants: servers, policy. */
  setup() {
    return this.#event('setup');
  }

  async offer(sdp) {
    this.tell({ kind: 'offer', sdp });
    return this.#event('answer');
  }

  incapable(why) {
    this.tell({ kind: 'incapable', why });
  }

  tell(message) {
    this.#saying = this.#saying
      .then(() => this.#sealed({ ...message, instance: this.#instance, n: ++this.#serial }))
      .then((data) => this.#post(data))
      .catch(() => {});
  }

  /** Sealed beforehand: a page that goes away has no time for it. */
  bye() {
    const body = JSON.stringify({ member: this.#member, data: this.#bye });
    navigator.sendBeacon(this.#path(), new Blob([body], { type: 'application/json' }));
  }

  events(handlers, lost) {
    this.#lost = lost;
    Object.assign(this.#handlers, handlers);
    for (const words of this.#early.splice(0)) this.#dispatch(words);
  }

  close() {
    this.#open = false;
  }

  #path(more = '') {
    return `/box/${this.#keys.room}/browser${more}`;
  }

  /** The next one of that name. */
  #event(name) {
    return new Promise((resolve, reject) => {
      this.#handlers[name] = (data) => {
        delete this.#handlers[name];
        resolve(data);
      };
      const at = this.#early.findIndex(({ event }) => event === name);
      if (at >= 0) this.#dispatch(this.#early.splice(at, 1)[0]);
      this.#lost = reject;
    });
  }

  async #sealed(words) {
    const nonce = crypto.getRandomValues(new Uint8Array(12));
    const text = await crypto.subtle.encrypt(
      parameters(this.#keys.room, nonce),
      this.#keys.ours,
      utf8.encode(JSON.stringify(words)),
    );
    return base64url(new Uint8Array([...nonce, ...new Uint8Array(text)]));
  }

  async #opened(sealed) {
    const bytes = bytesOf(sealed);
    const text = await crypto.subtle.decrypt(
      parameters(this.#keys.room, bytes.subarray(0, 12)),
      this.#keys.theirs,
      bytes.subarray(12),
    );
    return JSON.parse(new TextDecoder().decode(text));
  }

  async #post(data) {
    await fetch(this.#path(), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ member: this.#member, data }),
    });
  }

  async #listen() {
    for (let failures = 0; this.#open; ) {
      try {
        const response = await fetch(this.#path(`/${this.#heard}/${this.#member}`), { cache: 'no-store' });
        if (response.status === 404)
          return this.#over(
            'This link is good for nothing any more: the check is over, or never began. Ask for a new one.',
          );
        if (response.status === 409)
          return this.#over('Somebody else has opened this link already, and it is good for one. Ask for a new one.');
        if (!response.ok) throw new Error(`status ${response.status}`);
        const { messages, gone } = await response.json();
        if (gone) return this.#over('The terminal has ended the check.');
        failures = 0;
        for (const message of messages) {
          this.#heard++;
          const words = await this.#opened(message).catch(() => undefined);
          // What the server repeats, or changes, is not taken.
          if (!words || words.n <= this.#last) continue;
          this.#last = words.n;
          this.#dispatch(words);
        }
      } catch {
        if (++failures > 5) return this.#over('The server cannot be reached any more.');
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  #over(why) {
    if (this.#open) this.#lost(new Refused(why));
    this.#open = false;
  }

  #dispatch(words) {
    const handle = this.#handlers[words.event];
    if (handle) handle(words.data, this);
    else this.#early.push(words);
  }
}
