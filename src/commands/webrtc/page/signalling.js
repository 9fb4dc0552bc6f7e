/** The way to the terminal, until there is a better one: what the page posts, and the events that it hears. */
const json = { 'Content-Type': 'application/json' };

/** Rejects where the terminal does not answer, or does not take it. */
async function post(path, message) {
  const response = await fetch(path, { method: 'POST', headers: json, body: JSON.stringify(message) });
  if (!response.ok) throw new Error(`the terminal answers ${response.status}`);
  return response.status === 204 ? undefined : response.json();
}

/** What is told before the terminal has answered waits. */
export class Line {
  #id;
  #waiting = [];
  #last = Promise.resolve();

  /** Our description; resolves to the terminal's. */
  async offer(sdp) {
    const answer = await post('offer', { sdp });
    this.#open(answer.id);
    return answer;
  }

  incapable(why) {
    return post('incapable', { why });
  }

  #open(id) {
    this.#id = id;
    for (const message of this.#waiting.splice(0)) this.tell(message);
  }

  tell(message) {
    if (this.#id === undefined) {
      this.#waiting.push(message);
      return;
    }
    // One after another: candidates keep their order, and the end of them comes last.
    this.#last = this.#last.then(() => post(`tell/${this.#id}`, message)).catch(() => {});
  }

  /** Also while the page goes away. */
  bye() {
    if (this.#id !== undefined)
      navigator.sendBeacon(
        `tell/${this.#id}`,
        new Blob([JSON.stringify({ kind: 'bye' })], { type: 'application/json' }),
      );
  }

  events(handlers, lost) {
    const source = new EventSource(`events/${this.#id}`);
    for (const [name, handle] of Object.entries(handlers))
      source.addEventListener(name, ({ data }) => handle(JSON.parse(data), source));
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) lost();
    };
    return source;
  }
}
