/** Less than 0 where the first time is before the second. */
export function compareTimes(day: number, ns: number, otherDay: number, otherNs: number): number {
  return day - otherDay || ns - otherNs;
}

/**
 * The order that sorts rows by time, stable: a merge sort over typed arrays, from runs of one row
 * up. Rows mostly arrive in order, so most pairs of runs are in order already and are only copied.
 */
export function timeOrder(day: Int32Array, ns: Float64Array): Uint32Array {
  const count = day.length;
  let order = new Uint32Array(count);
  for (let index = 0; index < count; index++) order[index] = index;
  let merged = new Uint32Array(count);
  for (let width = 1; width < count; width *= 2) {
    for (let start = 0; start < count; start += 2 * width) {
      const middle = Math.min(start + width, count);
      const end = Math.min(start + 2 * width, count);
      mergeRuns(order, merged, [start, middle, end], day, ns);
    }
    [order, merged] = [merged, order];
  }
  return order;
}

/** Merges `order[start, middle)` and `order[middle, end)` to the same place in `merged`. */
function mergeRuns(
  order: Uint32Array,
  merged: Uint32Array,
  [start, middle, end]: readonly [number, number, number],
  day: Int32Array,
  ns: Float64Array,
): void {
  const isBefore = (right: number, left: number): boolean =>
    day[right] < day[left] || (day[right] === day[left] && ns[right] < ns[left]);
  if (middle === end || !isBefore(order[middle], order[middle - 1])) {
    for (let index = start; index < end; index++) merged[index] = order[index];
    return;
  }
  let left = start;
  let right = middle;
  for (let target = start; target < end; target++) {
    const takesRight = left === middle || (right < end && isBefore(order[right], order[left]));
    merged[target] = takesRight ? order[right++] : order[left++];
  }
}

/** Puts the values into an order, in place. */
export function permute(
  values: Uint16Array | Uint32Array | Int32Array | Float64Array,
  order: Uint32Array,
): void {
  const before = values.slice();
  for (let target = 0; target < order.length; target++) values[target] = before[order[target]];
}
