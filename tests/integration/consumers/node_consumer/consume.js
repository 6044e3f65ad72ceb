// Reads topics from their beginning with kafkajs and the standard registry deserialiser; marks.js tells what came twice.
// Arguments: brokers, registry URL, number of records, topics... One JSON line per record on standard output.
const { Kafka, logLevel } = require("kafkajs");
const { SchemaRegistry } = require("@kafkajs/confluent-schema-registry");
const { Marks } = require("./marks.js");

const [brokers, host, wanted, ...topics] = process.argv.slice(2);
const kafka = new Kafka({ clientId: "node", brokers: brokers.split(","), logLevel: logLevel.ERROR });
const registry = new SchemaRegistry({ host });
const consumer = kafka.consumer({ groupId: `node-${process.pid}-${Date.now()}` });

// Bytes as hex, as the examples have them; everything else as it was decoded.
const plain = (_, value) =>
  value && value.type === "Buffer" && Array.isArray(value.data) ? { hex: Buffer.from(value.data).toString("hex") } : value;

// One Marks per partition that is read; events and control records have no coordinate and are no repetition.
const marks = new Map();
function advance(topic, partition, record) {
  if (typeof record.source !== "object") return true;
  const place = `${topic}/${partition}`;
  if (!marks.has(place)) marks.set(place, new Marks());
  return marks.get(place).advance(record);
}

async function nameOf(value) {
  const { type } = await registry.getSchema(value.readInt32BE(1)).then((schema) => ({ type: schema }));
  return type.name;
}

async function main() {
  let read = 0;
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await new Promise((done, failed) => {
    const eachMessage = async ({ topic, partition, message }) => {
      try {
        const record = await registry.decode(message.value);
        const key = message.key === null ? null : message.key.toString();
        const name = await nameOf(message.value);
        const line = { topic, partition, key, name, record, advance: advance(topic, partition, record) };
        process.stdout.write(`${JSON.stringify(line, plain)}\n`);
        if (++read === Number(wanted)) done();
      } catch (error) {
        failed(error);
      }
    };
    consumer.run({ eachMessage }).catch(failed);
  });
  await consumer.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
