// Where the work is kept (this browser's IndexedDB), and how the server is asked.

const settled = (wish) => new Promise((resolve, reject) => {
  wish.onsuccess = () => resolve(wish.result);
  wish.onerror = () => reject(wish.error);
});

export const newKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

// 'state', and {file, preview} by the keys of pictures: one work per browser.
export class Keeper {
  async load() {
    const wish = indexedDB.open('cape_mm', 1);
    wish.onupgradeneeded = () => wish.result.createObjectStore('work');
    this.base = await settled(wish);
    const store = this.base.transaction('work').objectStore('work');
    const [keys, values] = await Promise.all([store.getAllKeys(), store.getAll()].map(settled));
    return new Map(keys.map((key, i) => [key, values[i]]));
  }

  // Resolves when it is on the disk. No value: removes what is there.
  put(key, value) {
    return new Promise((resolve, reject) => {
      const step = this.base.transaction('work', 'readwrite', {durability: 'strict'});
      if (value === undefined) step.objectStore('work').delete(key);
      else step.objectStore('work').put(value, key);
      step.oncomplete = resolve;
      step.onabort = () => reject(step.error);
    });
  }
}

export class Server {
  constructor(findFile) {
    this.findFile = findFile;  // name and file of a picture by its key
  }

  async ask(method, path, body, headers = {}) {
    headers = {'X-Session': this.session, ...headers};
    const answer = await fetch(path, {method, body, headers}).catch(() => {
      throw Object.assign(new Error('the server does not answer'), {isPassing: true});
    });
    if (answer.ok || answer.status === 409) return answer;
    const {error = `the server answers ${answer.status}`} = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(error), {isPassing: answer.status === 503});
  }

  async upload(key, name, file) {
    const answer = await this.ask('PUT', `pictures/${key}`, file, {'X-Name': encodeURIComponent(name)});
    return {...JSON.parse(answer.headers.get('X-Picture')), preview: await answer.blob()};
  }

  // Pictures that the server does not have, or no more, are sent first.
  async predict(message) {
    for (let tries = 0; tries < 3; tries++) {
      const answer = await this.ask('POST', 'predict', JSON.stringify(message));
      const content = await answer.json();
      if (answer.ok) return content;
      for (const key of content.missing) await this.upload(key, ...this.findFile(key));
    }
    throw new Error('the server has too little memory for the pictures');
  }

  async check(file) {
    return (await this.ask('POST', 'check', file)).json();
  }

  async download({work, predictions, threshold, format}) {
    const answer = await this.ask('POST', 'download', JSON.stringify({work, predictions, threshold, format}));
    return [answer.headers.get('Content-Disposition').match(/filename="(.+)"/)[1], await answer.blob()];
  }
}
