// Loaded before the server: whatever asks to listen, listens on loopback only.
const net = require('node:net')

const listen = net.Server.prototype.listen

net.Server.prototype.listen = function (...given) {
  const [first, ...rest] = given
  const callbacks = rest.filter((value) => typeof value === 'function')
  if (first !== null && typeof first === 'object' && first.path === undefined && first.fd === undefined) {
    return listen.call(this, { ...first, host: '127.0.0.1' }, ...rest)
  }
  if (typeof first === 'number' || first === undefined || first === null) {
    return listen.call(this, { port: first ?? 0, host: '127.0.0.1' }, ...callbacks)
  }
  return listen.apply(this, given)
}
