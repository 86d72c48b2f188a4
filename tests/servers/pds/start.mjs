// A directory (PLC) and a data server (PDS) with nothing in them; ends when its standard input ends.
import { TestNetworkNoAppView } from '@atproto/dev-env'

const [plc, pds] = process.argv.slice(2).map(Number)
await TestNetworkNoAppView.create({ plc: { port: plc }, pds: { port: pds, hostname: 'localhost' } })

process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
