// What a user has done. The server knows the same form, which demo/work.py tells.

export const newWork = (next = 1) => ({category: 'object', next, keypoints: [], edges: [], pictures: []});
export const newObject = (work) => ({id: work.next++, box: null, shot: false, points: {}});

export const objectsOf = (work) => work.pictures.flatMap(({objects}) => objects);
export const objectIn = (work, id) => objectsOf(work).find((one) => one.id === id);

// Marked objects that are used as supports, with the keys of their pictures.
export const shotsOf = (work) => work.pictures.flatMap(({key, support, objects}) =>
  objects.filter(({shot, points}) => (support || shot) && Object.values(points).some(Boolean))
    .map(({box, points}) => ({key, box, points})));

export function addKeypoint(work, limit, name = `point ${work.keypoints.length + 1}`) {
  if (work.keypoints.length >= limit) throw new Error(`at most ${limit} points are taken`);
  work.keypoints.push({id: work.next++, name});
  return work.next - 1;
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
