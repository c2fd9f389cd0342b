// The page: what is shown of the work, and what buttons, keys and clicks do to it.
import {Keeper, Server, newKey} from './store.js';
import {PictureView, colorOf} from './view.js';
import * as edits from './work.js';

const SIDES = ['support', 'query'], BATCH = 8, RETRY = 2000;  // pictures per question; milliseconds
const CARD = {width: 228, height: 160};
const find = (selector, root = document) => root.querySelector(selector);
const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
const limits = JSON.parse(document.body.dataset.limits);
const room = {support: limits.max_shots, query: limits.max_queries};

// What is kept; support: what supports and edges were last, and how often they changed.
// predictions: {object's id: {key, basis, points: {id: [x, y, confidence]}}}
const state = {session: newKey(), work: edits.newWork(), predictions: {}, support: {key: '', version: 0},
  threshold: 0.3, auto: true, at: {}};
const pictures = new Map();  // by key: {file, preview, image, thumb}
const keeper = new Keeper(), past = [], future = [];
const server = new Server((key) =>
  [state.work.pictures.find((one) => one.key === key)?.name ?? '', pictures.get(key)?.file]);
let chosen = {side: 'query', object: null, id: null};  // object and keypoint that were clicked last
let isPredicting = false, timer = null, saving = null;

function say(textContent, className = '') {
  [...find('#messages').children].find((one) => one.textContent === textContent)?.remove();
  const line = make('p', {textContent, className, onclick: () => line.remove()});
  find('#messages').append(line);
  setTimeout(line.onclick, className ? 6000 : 20000);
}

// --- the work, undo, and where it is kept
// Do what can be undone. What it throws is said, and changes nothing.
function change(act) {
  const before = structuredClone(state.work);
  try {
    act(state.work);
  } catch (error) {
    state.work = before;
    say(error.message);
    return show();
  }
  past.push(before);
  past.splice(0, past.length - 200);
  future.length = 0;
  touch();
}

function travel(from, to) {
  if (from.length) to.push(state.work);
  touch({work: from.pop() ?? state.work});
}

// Something of the state is another now.
function touch(changes = {}) {
  const {work, predictions} = Object.assign(state, changes);
  const key = JSON.stringify([work.keypoints.map(({id}) => id), work.edges, edits.shotsOf(work)]);
  if (!work.keypoints.some(({id}) => id === chosen.id)) chosen.id = null;
  if (key !== state.support.key) state.support = {key, version: state.support.version + 1};
  keep();
  show();
  clearTimeout(timer);
  if (state.auto && Object.keys(predictions).length && stale().length) timer = setTimeout(predict, 250);
}

function keep() {
  if (!keeper.base) return;
  find('#kept').textContent = 'Saving …';
  const step = saving = keeper.put('state', state).then(() => {
    if (step === saving) find('#kept').textContent = 'All is saved in this browser.';
  }, notKept);
}

function notKept(error) {
  find('#kept').textContent = 'NOT saved in this browser: save the session as a file.';
  say(`this browser does not keep the work: ${error}`);
}

const picturesOf = (which) => state.work.pictures.filter((one) => one.support === (which === 'support'));

function current(which) {
  const all = picturesOf(which), picture = all.find(({key}) => key === state.at[which]) ?? all[0];
  const object = picture?.objects.find(({id}) => id === chosen.object) ?? picture?.objects[0];
  return {picture, object, place: all.indexOf(picture), count: all.length};
}

function turn(which, step, key = null) {
  const {place, count} = current(which);
  chosen.id = null;
  touch({at: {...state.at, [which]: key ?? picturesOf(which)[(place + step + count) % count]?.key}});
}

// --- pictures
async function addPictures(which, files) {
  for (const one of files) await addPicture(which, one).catch(({message}) => say(`${one.name} is skipped: ${message}`));
}

async function addPicture(which, file) {
  // a picture of an opened session waits for its file
  const known = state.work.pictures.find(({key, name}) => name === file.name && !pictures.has(key));
  const key = known?.key ?? newKey(), most = limits.max_file_bytes;
  if (!known && picturesOf(which).length >= room[which]) throw new Error(`at most ${room[which]} are taken`);
  if (file.size > most) throw new Error(`it has more than ${most / 2 ** 20} MB`);
  const {size, notes, preview} = await server.upload(key, file.name, file);
  if (known && String(known.size) !== String(size)) throw new Error(`the session's has ${known.size} pixels`);
  await takeFile(key, {file, preview});
  if (keeper.base) await keeper.put(key, {file, preview}).catch(notKept);
  for (const note of notes) say(`${file.name}: ${note}`, 'note');
  if (known) return touch();
  if (which === 'support') state.at.support = key;
  change((work) => work.pictures.push(
    {key, name: file.name, size, support: which === 'support', objects: [edits.newObject(work)]}));
}

async function takeFile(key, {file, preview}) {
  const image = make('img', {src: URL.createObjectURL(preview)});
  await image.decode();
  const thumb = await createImageBitmap(image, {resizeWidth: CARD.width, resizeQuality: 'medium'});
  pictures.set(key, {file, preview, image, thumb});
}

// --- predictions
// Pictures with objects whose prediction is missing, or was made for another support or box.
function stale() {
  const {work, predictions, support: {version}} = state;
  const isFresh = (key, {id, box}) => String(predictions[id]?.basis) === String([version, key, box]);
  return edits.shotsOf(work).length ? picturesOf('query').filter(({key, objects}) =>
    pictures.has(key) && !objects.every((one) => isFresh(key, one))) : [];
}

async function predict() {
  clearTimeout(timer);
  if (isPredicting) return;
  if (!edits.shotsOf(state.work).length) return say('First mark points on a support picture.');
  isPredicting = true;
  try {
    for (let todo = stale(); todo.length; todo = stale()) {
      show();
      const {work, support: {version}} = state, {picture} = current('query');  // in sight: comes first
      const some = todo.sort((a, b) => (b === picture) - (a === picture)).slice(0, BATCH);
      const asked = some.flatMap(({key, objects}) => objects.map(({id, box}) => [id, key, box]));
      const found = await server.predict({work, objects: asked.map(([id]) => id)});
      for (const [id, key, box] of asked) {
        state.predictions[id] = {key, basis: [version, key, box], points: found[id]};
      }
    }
    keep();
  } catch (error) {
    say(`not predicted: ${error.message}`);
    if (error.isPassing) timer = setTimeout(predict, RETRY);
  }
  isPredicting = false;
  show();
}

// --- what is shown
// [x, y, confidence] of a keypoint: a person's word, then a prediction; or nothing.
function pointOf({support, key}, object, id) {
  const own = object?.points[id], last = state.predictions[object?.id];
  if (own !== undefined) return own && [...own, 1];
  return !support && last?.key === key && last.points[id]?.[2] >= state.threshold ? last.points[id] : null;
}

function sceneOf({picture, object: active}) {
  if (!picture) return null;
  const {key, size} = picture, {work: {keypoints, edges}} = state;
  const objects = picture.objects.map((object) => ({...object, isActive: object === active,
    points: keypoints.flatMap(({id, name}, i) => {
      const [x, y, confidence] = pointOf(picture, object, id) ?? [];
      return x === undefined ? [] : [{id, name, number: i + 1, x, y, confidence}];
    })}));
  return {key, size, image: pictures.get(key)?.image, objects, edges, selected: chosen.id};
}

function show() {
  const {work, auto, threshold} = state, todo = stale().length, queries = picturesOf('query');
  SIDES.forEach(showSide);
  setTimeout(() => find('#pictures').replaceChildren(...picturesOf('query').map(cardOf)), 50);  // not before the rest
  find('#status').textContent = `points ${work.keypoints.length} · supports ${edits.shotsOf(work).length} · ` +
    `queries ${queries.length}${todo ? ` · to predict ${todo}` : ''}${isPredicting ? ' …' : ''}`;
  find('#predict').classList.toggle('stale', todo > 0);
  for (const [name, {length}] of [['undo', past], ['redo', future]]) find(`[data-do=${name}]`).disabled = !length;
  find('#auto').checked = auto;
  find('#category').value = work.category;
  find('#threshold').value = find('#threshold + output').textContent = threshold.toFixed(2);
  find('#reuse').setAttribute('aria-pressed', !!current('query').object?.shot);
}

function showSide(which) {
  const root = find(`#${which}`), {picture, object, place, count} = current(which), list = find('.points', root);
  views[which].show(sceneOf({picture, object}));
  find('.name', root).textContent = picture ? `${place + 1}/${count} ${picture.name}` : '';
  find('.empty', root).hidden = pictures.has(picture?.key);  // not those of an opened session
  find('.hint', root).textContent = picture ? hintOf(which, object) : '';
  for (const button of root.querySelectorAll('[data-tool]')) {
    button.setAttribute('aria-pressed', button.dataset.tool === views[which].tool);
  }
  if (list.contains(document.activeElement) && document.activeElement.matches('input')) return;  // typing
  list.replaceChildren(...state.work.keypoints.map((one, i) => rowOf(which, one, i + 1, picture, object)));
  find('.selected', list)?.scrollIntoView({block: 'nearest'});
}

function rowOf(which, {id, name}, number, picture, object) {
  const point = picture && pointOf(picture, object, id), isOwn = object?.points[id] !== undefined;
  const row = make('li', {className: `${id === chosen.id ? 'selected' : ''} ${point ? '' : 'absent'}`});
  const badge = make('b', {textContent: number}), field = make('input', {value: name, maxLength: 40});
  badge.style.borderColor = colorOf(number);
  field.onchange = () => change((work) => work.keypoints[number - 1].name = field.value.trim() || name);
  const told = isOwn ? (point ? 'by hand' : 'not there') : point?.[2].toFixed(2) ?? '–';
  row.onclick = ({target}) => target !== field && select(which, chosen.object, id);
  row.append(badge, field, make('i', {textContent: told}));
  return row;
}

function hintOf(which, object) {
  const {keypoints} = state.work, {tool} = views[which];
  const name = chosen.side === which && keypoints.find(({id}) => id === chosen.id)?.name;
  if (tool === 'box') return 'Drag a box around every object. Delete removes the chosen one.';
  if (tool === 'connect') return name ? `Click the point to connect with ${name}.` : 'Click two points.';
  if (which === 'support') return `The next click marks ${unmarked(object)?.name ?? `point ${keypoints.length + 1}`}.`;
  return name ? `Click where ${name} belongs. Delete: it is not there.` : 'Drag a wrong point to its place.';
}

// The keypoint that the next click marks.
function unmarked({points}) {
  const missing = state.work.keypoints.filter(({id}) => !points[id]);
  return missing.find(({id}) => id === chosen.id) ?? missing[0];
}

function cardOf(picture) {
  const {key, name, objects, size: [w, h]} = picture, {width, height} = CARD, canvas = make('canvas', CARD);
  const context = canvas.getContext('2d'), scale = Math.min(width / w, height / h), dot = 6 / scale;
  context.setTransform(scale, 0, 0, scale, (width - w * scale) / 2, (height - h * scale) / 2);
  if (pictures.has(key)) context.drawImage(pictures.get(key).thumb, 0, 0, w, h);
  for (const {number, x, y} of sceneOf({picture}).objects.flatMap(({points}) => points)) {
    context.fillStyle = colorOf(number);
    context.fillRect(x + 0.5 - dot / 2, y + 0.5 - dot / 2, dot, dot);
  }
  const isPredicted = objects.every(({id}) => state.predictions[id]);
  const told = [isPredicted ? 'predicted' : 'not predicted', objects.length > 1 && `${objects.length} objects`,
    objects.some(({shot}) => shot) && 'support'].filter(Boolean).join(', ');
  const card = make('li', {className: picture === current('query').picture ? 'shown' : ''});
  card.append(canvas, make('span', {textContent: name}), make('span', {textContent: told}));
  card.onclick = () => turn('query', 0, key);
  return card;
}

// --- what the user does
function select(side, object = null, id = null) {
  chosen = {side, object, id};
  show();
}

function click(which, place, hit) {
  const {picture, object} = current(which), {tool} = views[which];
  const from = chosen.side === which ? chosen.id : null;
  if (tool === 'connect' && hit && from && hit.id !== from) {
    change((work) => edits.toggleEdge(work, from, hit.id));
    return select(which);
  }
  const isIn = ({box}) => box && place.every((v, i) => v >= box[i] && v <= box[i] + box[i + 2]);
  const other = isIn(object) ? null : picture.objects.find(isIn);
  const isForced = which === 'support' && from && !object.points[from];  // chosen in the list: even on a marker
  if (hit && !isForced) return select(which, hit.object, hit.id);
  if (tool !== 'point' || other || (which === 'query' && !from)) return select(which, other?.id ?? object.id);
  change((work) => {
    const id = which === 'query' ? from : unmarked(object)?.id ?? edits.addKeypoint(work, limits.max_points);
    chosen = {side: which, object: object.id, id};
    edits.objectIn(work, object.id).points[id] = place;
  });
}

function move(which, place, {object, id}) {
  chosen = {side: which, object, id};
  change((work) => edits.objectIn(work, object).points[id] = place);
}

function setBox(which, box) {
  const {key} = current(which).picture;
  change((work) => {
    const {support, objects} = work.pictures.find((one) => one.key === key);
    if (!support && objects[0].box) objects.push(edits.newObject(work));  // the first one had the whole picture
    if (objects.length > limits.max_objects) throw new Error(`at most ${limits.max_objects} boxes are taken`);
    objects.at(-1).box = box;
    chosen = {side: which, object: objects.at(-1).id, id: null};
  });
}

function removeSelected(side = chosen.side) {
  const id = side === chosen.side ? chosen.id : null, {picture, object} = current(side);
  if (object && (id || object.box)) change((work) => {
    const own = edits.objectIn(work, object.id), {objects} = work.pictures.find(({key}) => key === picture.key);
    if (!id && objects.length > 1) objects.splice(objects.indexOf(own), 1);
    else if (!id) own.box = null;
    else if (side === 'query') own.points[id] = null;
    else delete own.points[id];
    if (id && side === 'support' && !edits.objectsOf(work).some(({points}) => points[id])) edits.removeKeypoint(work, id);
  });
}

function nudge(...by) {
  const {side, id} = chosen, {picture, object} = current(side), point = picture && pointOf(picture, object, id);
  const place = point && by.map((v, i) => Math.min(picture.size[i] - 1, Math.max(0, point[i] + v)));
  if (place) change((work) => edits.objectIn(work, object.id).points[id] = place);
}

function reuse() {
  const {picture, object} = current('query');
  if (object) change((work) => {
    const own = edits.objectIn(work, object.id), points = work.keypoints.map(({id}) => [id, pointOf(picture, own, id)]);
    own.shot = !own.shot;
    if (own.shot) points.filter(([, point]) => point).forEach(([id, [x, y]]) => own.points[id] = [x, y]);
    if (own.shot && !Object.values(own.points).some(Boolean)) throw new Error('this object shows no point');
    if (edits.shotsOf(work).length > room.support) throw new Error(`at most ${room.support} supports are taken`);
  });
}

const hand = ([download, blob]) => make('a', {download, href: URL.createObjectURL(blob)}).click();

const acts = {
  predict, reuse,
  undo: () => travel(past, future),
  redo: () => travel(future, past),
  clear: () => change((work) => Object.assign(work, edits.newWork(work.next))),
  save: () => hand(['session.json', new Blob([JSON.stringify(state.work)])]),
  download: () => server.download({...state, format: find('#format').value}).then(hand, ({message}) => say(message)),
  open: (which, {files: [file]}) => server.check(file).then((work) => {
    change((old) => Object.assign(old, work));
    if (work.pictures.some(({key}) => !pictures.has(key))) say('Now add the pictures of the session.', 'note');
  }, ({message}) => say(`${file.name} is no session: ${message}`)),
  add: (which, {files}) => addPictures(which, [...files]),
  names: (which, field) => change((work) => {
    const names = field.value.split(/[,;\n]/).map((name) => name.trim());
    names.filter(Boolean).forEach((name) => edits.addKeypoint(work, limits.max_points, name));
    field.value = '';
  }),
  category: (which, {value}) => change((work) => work.category = value.trim() || 'object'),
  auto: (which, {checked}) => touch({auto: checked}),
  threshold: (which, {value}) => touch({threshold: +value}),
  previous: (which) => turn(which, -1),
  next: (which) => turn(which, 1),
  remove: (which) => current(which).picture && change((work) =>
    work.pictures.splice(work.pictures.indexOf(current(which).picture), 1)),
  drop: removeSelected,
  fit: (which) => views[which].fit(),
  tool(which, {dataset: {tool}}) {
    views[which].tool = tool;
    select(which, chosen.object);
  },
};

export const views = Object.fromEntries(SIDES.map((which) => [which, new PictureView(find(`#${which} canvas`),
  {click: click.bind(null, which), move: move.bind(null, which), box: setBox.bind(null, which)})]));

function onKey(event) {
  const {key, ctrlKey, metaKey, shiftKey, target} = event, step = shiftKey ? 10 : 1;
  if (target.matches('input:not([type=range], [type=checkbox]), select')) return;
  const act = {
    'Ctrl+z': acts.undo, 'Ctrl+Z': acts.redo, 'Ctrl+y': acts.redo, Enter: predict,
    Delete: () => removeSelected(), Backspace: () => removeSelected(), Escape: () => select(chosen.side),
    n: () => turn('query', 1), p: () => turn('query', -1), 0: () => SIDES.forEach(acts.fit),
    ArrowLeft: () => nudge(-step, 0), ArrowRight: () => nudge(step, 0),
    ArrowUp: () => nudge(0, -step), ArrowDown: () => nudge(0, step),
  }[(ctrlKey || metaKey ? 'Ctrl+' : '') + key];
  if (!act || (target.matches('button, input') && /Enter|Arrow/.test(key))) return;
  event.preventDefault();
  act();
}

function listen() {
  for (const [event, name] of [['click', 'do'], ['change', 'change'], ['input', 'input']]) {
    document.addEventListener(event, async ({target}) => {
      const element = target.closest(`[data-${name}]`);
      await acts[element?.dataset[name]]?.(element.closest('section')?.id, element);
      if (element?.type === 'file') element.value = '';
    });
  }
  document.addEventListener('keydown', onKey);
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    addPictures(event.target.closest('section')?.id ?? 'query', [...event.dataTransfer.files]);
  });
  const channel = new BroadcastChannel('cape_mm');  // one tab works: what was opened last has it all
  channel.postMessage('mine');
  channel.onmessage = () => {
    keeper.base = null;
    document.body.inert = true;
    say('The work goes on in another tab. Load this one again to bring it back here.');
  };
}

async function start() {
  const kept = await keeper.load().catch((error) => new Map(notKept(error)));
  Object.assign(state, kept.get('state'));
  for (const [key, files] of kept) {
    if (state.work.pictures.some((one) => one.key === key)) await takeFile(key, files).catch(notKept);
    else if (key !== 'state') keeper.put(key);  // removed before: nothing brings it back
  }
  server.session = state.session;
  listen();
  touch();
  document.body.dataset.isReady = 'yes';
}

start();
