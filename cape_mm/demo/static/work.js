// What a user has done. The server knows the same form, which demo/work.py tells.

export const newWork = (next = 1) => ({category: 'object', next, keypoints: [], edges: [], pictures: []});
export const newObject = (work) => ({id: work.next++, box: null, shot: false, points: {}});

export const objectsOf = (work) => work.pictures.flatMap(({objects}) => objects);
export const keypointIn = (work, id) => work.keypoints.find((one) => one.id === id);
export const objectIn = (work, id) => objectsOf(work).find((one) => one.id === id);

// Marked objects that are used as supports, with the keys of their pictures.
export const shotsOf = (work) => work.pictures.flatMap(({key, support, objects}) =>
  objects.filter(({shot, points}) => (support || shot) && Object.values(points).some(Boolean))
    .map(({box, points}) => ({key, box, points})));

export function uniqueName(name, taken) {
  const [, stem, suffix = ''] = name.match(/^(.+?)(\.\w*)?$/) ?? [name, name];
  let found = name;
  for (let count = 2; taken.includes(found); count++) found = `${stem} (${count})${suffix}`;
  return found;
}

export function addKeypoint(work, limit, name = `point ${work.keypoints.length + 1}`) {
  if (work.keypoints.length >= limit) throw new Error(`at most ${limit} points are taken`);
  const id = work.next++;
  work.keypoints.push({id, name: uniqueName(name.slice(0, 40), work.keypoints.map((one) => one.name))});
  return id;
}

export function removeKeypoint(work, id) {
  work.keypoints = work.keypoints.filter((one) => one.id !== id);
  work.edges = work.edges.filter((edge) => !edge.includes(id));
  for (const object of objectsOf(work)) delete object.points[id];
}

export function toggleEdge(work, a, b) {
  const rest = work.edges.filter((edge) => !(edge.includes(a) && edge.includes(b)));
  work.edges = rest.length < work.edges.length ? rest : [...rest, [a, b]];
}

// The object that a new box is of: one without a box, one that it mostly covers, or a new one.
export function objectFor(work, {objects, support}, box, limit) {
  const found = objects.find((one) => support || !one.box || overlap(one.box, box) > 0.5);
  if (found) return found;
  if (objects.length >= limit) throw new Error(`at most ${limit} boxes are taken on a picture`);
  objects.push(newObject(work));
  return objects.at(-1);
}

function overlap(a, b) {
  const side = (i) => Math.max(0, Math.min(a[i] + a[i + 2], b[i] + b[i + 2]) - Math.max(a[i], b[i]));
  const shared = side(0) * side(1);
  return shared / (a[2] * a[3] + b[2] * b[3] - shared);
}
