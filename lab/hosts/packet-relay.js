// Carries the packets of a lab network between its two ends, slowly or not at all. Runs by itself inside a network
// namespace, for kernels without netem: both ends of a cable are VXLAN devices, so each frame is a UDP datagram that
// passes through here. Plain JavaScript, because it is started as `node packet-relay.js` with no build.
//
// Arguments: port, then one `vni=addressOfOneEnd,addressOfOtherEnd` per cable.
// Standard input: one JSON object per line, {"vni":1,"delayMs":50,"lossPercent":2}; each is answered with a line "ok".
const { createSocket } = require('node:dgram');
const { createInterface } = require('node:readline');

const [port, ...cableArguments] = process.argv.slice(2);
const cables = new Map(
  cableArguments.map((text) => {
    const [vni, ends] = text.split('=');
    return [Number(vni), { ends: ends.split(','), delayMs: 0, lossPercent: 0 }];
  }),
);

const socket = createSocket('udp4');
socket.on('error', () => {
  // A datagram to an end that is going away; packets may be lost.
});
socket.on('message', (datagram, { address }) => {
  if (datagram.length < 8) return;
  const cable = cables.get(datagram.readUIntBE(4, 3));
  if (cable === undefined || Math.random() * 100 < cable.lossPercent) return;
  const target = address === cable.ends[0] ? cable.ends[1] : cable.ends[0];
  if (cable.delayMs === 0) socket.send(datagram, Number(port), target);
  else setTimeout(() => socket.send(datagram, Number(port), target), cable.delayMs);
});
socket.bind(Number(port), '0.0.0.0', () => {
  socket.setRecvBufferSize(4 * 1024 * 1024);
  process.stdout.write('ready\n');
});

createInterface({ input: process.stdin }).on('line', (line) => {
  const { vni, delayMs, lossPercent } = JSON.parse(line);
  Object.assign(cables.get(vni), { delayMs, lossPercent });
  process.stdout.write('ok\n');
});
// Whoever started it holds the other end of standard input: when that is gone, so is this.
process.stdin.on('end', () => process.exit(0));
