// The chat: messages as text, ours too, which the node does not send back.

const KEPT = 500;

export class Chat {
  #log = document.querySelector('#log');
  #onMessage;

  constructor(onMessage) {
    this.#onMessage = onMessage;
  }

  clear() {
    this.#log.replaceChildren();
  }

  add({ name, text, own = false, direct = false }) {
    const atEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 40;
    const item = document.createElement('li');
    item.className = own ? 'own' : '';
    const head = document.createElement('p');
    head.className = 'head';
    const from = document.createElement('bdi');
    from.textContent = own ? 'You' : name || 'Without a name';
    const when = document.createElement('time');
    const now = new Date();
    when.dateTime = now.toISOString();
    when.textContent = now.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    head.append(from, direct ? ' to you alone ' : ' ', when);
    const body = document.createElement('p');
    body.className = 'body';
    body.dir = 'auto';
    body.textContent = text;
    item.append(head, body);
    this.#log.append(item);
    while (this.#log.childElementCount > KEPT) this.#log.firstElementChild.remove();
    if (atEnd || own) this.#log.scrollTop = this.#log.scrollHeight;
    if (!own) this.#onMessage();
  }
}
