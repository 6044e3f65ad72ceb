// Reading what Tidecast writes exactly once: outputs may come twice after a crash, and marks tell which did.
// The same as schemas/marks.py, with the same text as its JSON. Copy this file; it needs nothing else.

const isWhole = (number) => Number.isSafeInteger(number);
const isRow = (row) =>
  Array.isArray(row) && row.length === 5 && typeof row[0] === "string" && row.slice(1).every(isWhole);
const plain = (number) => (typeof number === "bigint" ? Number(number) : number);

// [topic, partition, epoch, offset, ordinal] of a coordinate.
const rowOf = ({ topic, partition, epoch, offset, ordinal }) => [topic, ...[partition, epoch, offset, ordinal].map(plain)];

// Whether a row's (epoch, offset, ordinal) is greater than another's.
function isAbove(row, other) {
  for (const at of [2, 3, 4]) if (row[at] !== other[at]) return row[at] > other[at];
  return false;
}

// The high-water marks of one partition that is read: one per source (topic, partition). A consumer keeps one Marks per
// (topic, partition) that it reads, stored in the same transaction as what it makes of the records:
//
//   const marks = Marks.fromJson((await kept(transaction, topic, partition)) ?? "[]");
//   if (marks.advance(prediction)) {
//     await bill(transaction, prediction);
//     await keep(transaction, topic, partition, marks.toJson());
//   }
class Marks {
  #rows = new Map();

  // Whether this record's coordinate (its field `source`) is above the mark of its source; moves the mark.
  // Throws for a record that has no coordinate: a tick, a switch, an event.
  advance(record) {
    const row = rowOf(record.source ?? {});
    if (!isRow(row)) {
      throw new TypeError("The record has no coordinate in `source`; ask only for records that Tidecast put out.");
    }
    const place = `${row[1]} ${row[0]}`;
    const kept = this.#rows.get(place);
    if (kept && !isAbove(row, kept)) return false;
    this.#rows.set(place, row);
    return true;
  }

  // The marks as text: a list of [topic, partition, epoch, offset, ordinal].
  toJson() {
    return JSON.stringify([...this.#rows.values()]);
  }

  // The marks that toJson wrote, here or in Python; "[]" is a beginning. Throws for anything else.
  static fromJson(text) {
    const rows = JSON.parse(text);
    if (!Array.isArray(rows) || !rows.every(isRow)) {
      throw new TypeError("These are no marks: they are a list of [topic, partition, epoch, offset, ordinal].");
    }
    const marks = new Marks();
    for (const row of rows) marks.#rows.set(`${row[1]} ${row[0]}`, row);
    return marks;
  }
}

module.exports = { Marks };
