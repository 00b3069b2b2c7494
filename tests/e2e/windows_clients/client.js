// One client of Docker, as most programs on Windows are: Node with dockerode over the named pipe.
//
//   node client.js PORT CASE [JSON]
//
// It tells what happens as lines of JSON to 127.0.0.1:PORT, where the test listens (node.exe in Wine can't write to a pipe of
// Linux); a line from there is for cases that wait for one. The last line is {"done": RESULT} or {"failed": MESSAGE, "code": STATUS}.
'use strict'

const crypto = require('crypto')
const fs = require('fs')
const net = require('net')
const { PassThrough, Readable } = require('stream')
const { once } = require('events')
const { pipeline } = require('stream/promises')
const Docker = require('dockerode')
const tar = require('tar-stream')

const docker = new Docker({ socketPath: process.env.TEST_PIPE || '//./pipe/docker_engine' })
const IMAGE = 'busybox'

let test // the connection to it
const told = new PassThrough()

function tell (what) {
  test.write(JSON.stringify(what) + '\n')
}

// Resolves with the next line that the test sends.
function hear () {
  return once(told, 'data')
}

class Text extends PassThrough {
  constructor () {
    super()
    this.text = ''
    this.on('data', piece => {
      this.text += piece
      this.emit('more')
    })
  }

  async until (condition) {
    while (!condition(this.text)) await once(this, 'more')
    return this.text
  }
}

// A container that stays until it is killed; `action` gets it.
async function withContainer (options, action) {
  const container = await docker.createContainer({ Image: IMAGE, Cmd: ['sleep', '1000000'], HostConfig: { Init: true, NetworkMode: 'none' }, ...options })
  try {
    await container.start()
    return await action(container)
  } finally {
    await container.remove({ force: true })
  }
}

// Runs a command with the input, which Node can't half-close on a pipe of Windows: the command must know where it ends.
async function exec (container, command, write) {
  const made = await container.exec({ Cmd: command, AttachStdin: !!write, AttachStdout: true, AttachStderr: true })
  const stream = await made.start({ hijack: true, stdin: !!write })
  const out = new PassThrough()
  const errors = new Text()
  container.modem.demuxStream(stream, out, errors)
  stream.on('end', () => out.end())
  stream.on('close', () => out.end())
  stream.on('error', error => out.destroy(error))
  return { made, stream, out, errors, written: write ? write(stream) : Promise.resolve() }
}

// Bytes that differ from each other everywhere, cheap to make: the time is to be the pipe's.
function * bytes (count) {
  const block = crypto.createHash('sha512').update('bytes').digest()
  const piece = Buffer.alloc(256 * 1024)
  for (let at = 0; at < piece.length; at += block.length) block.copy(piece, at)
  for (let sent = 0, number = 0; sent < count; number++) {
    const copy = Buffer.from(piece)
    for (let at = 0; at < copy.length; at += 4096) copy.writeUInt32LE(number * 64 + at / 4096, at)
    yield copy.subarray(0, Math.min(copy.length, count - sent))
    sent += copy.length
  }
}

function hashed (source, hash) {
  return Readable.from((function * () {
    for (const piece of source) {
      hash.update(piece)
      yield piece
    }
  })(), { objectMode: false, highWaterMark: 1 << 20 })
}

const cases = {
  async version () {
    const [version, ping] = [await docker.version(), await docker.ping()]
    return { version: version.Version, ping: ping.toString() }
  },

  // The image of all the other cases, of a static busybox of this machine.
  async import_image ({ busybox, applets }) {
    const pack = tar.pack()
    pack.entry({ name: 'bin/busybox', mode: 0o755 }, fs.readFileSync(busybox))
    for (const applet of applets) pack.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' })
    for (const folder of ['tmp', 'etc', 'root']) pack.entry({ name: folder, type: 'directory', mode: 0o755 })
    pack.finalize()
    const stream = await docker.importImage(pack, { repo: IMAGE, tag: 'latest' })
    await new Promise((resolve, reject) => docker.modem.followProgress(stream, error => error ? reject(error) : resolve()))
    return { id: (await docker.getImage(IMAGE).inspect()).Id }
  },

  async run ({ command, binds }) {
    const [out, errors] = [new Text(), new Text()]
    const [result, container] = await docker.run(IMAGE, command, [out, errors], { Tty: false, HostConfig: { NetworkMode: 'none', Binds: binds } })
    await container.remove()
    return { out: out.text, errors: errors.text, code: result.StatusCode }
  },

  // What was written arrives, its echo comes back, and the end of the client is the command's end of input.
  async exec_stdin ({ size }) {
    return withContainer({}, async container => {
      const sent = Buffer.concat([...bytes(size)])
      const { made, stream, out } = await exec(container, ['sh', '-c', 'tee /copy; echo ended >/ended'], stream => stream.write(sent))
      const hash = crypto.createHash('sha256')
      let have = 0
      for await (const piece of out) {
        hash.update(piece)
        have += piece.length
        if (have === size) stream.end()
      }
      let code = null
      for (let tries = 0; code === null && tries < 100; tries++) code = (await made.inspect()).ExitCode
      const look = await exec(container, ['sh', '-c', 'sha256sum </copy; cat /ended'])
      let text = ''
      for await (const piece of look.out) text += piece
      return { have, echo: hash.digest('hex'), sent: crypto.createHash('sha256').update(sent).digest('hex'), copy: text, code }
    })
  },

  // dockerd only half-closes an attachment whose input is still open, which Node can't hear on a pipe of Windows (libuv has no word
  // for it): the container's end is asked for.
  async attach () {
    const container = await docker.createContainer({
      Image: IMAGE, Cmd: ['sh', '-c', 'read line; echo "got $line"; echo problem >&2; exit 5'], OpenStdin: true, StdinOnce: true, HostConfig: { NetworkMode: 'none' }
    })
    try {
      const stream = await container.attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true })
      const [out, errors] = [new Text(), new Text()]
      container.modem.demuxStream(stream, out, errors)
      await container.start()
      stream.write('a line\n')
      const code = (await container.wait()).StatusCode
      await Promise.all([out.until(text => text.endsWith('\n')), errors.until(text => text.endsWith('\n'))])
      stream.destroy()
      return { out: out.text, errors: errors.text, code }
    } finally {
      await container.remove({ force: true })
    }
  },

  // Lines come while the container runs; the end of the container is the end of the stream.
  async logs () {
    const command = ['sh', '-c', 'n=0; while [ ! -e /stop ]; do n=$((n+1)); echo line $n; usleep 50000; done; echo last']
    return withContainer({ Cmd: command }, async container => {
      const stream = await container.logs({ follow: true, stdout: true, stderr: true })
      const out = new Text()
      container.modem.demuxStream(stream, out, out)
      const ended = once(stream, 'end')
      await out.until(text => text.includes('line 5\n'))
      const stop = await exec(container, ['touch', '/stop'])
      stop.out.resume()
      await ended
      return { out: out.text }
    })
  },

  async events () {
    const stream = await docker.getEvents({ filters: { type: ['container'] } })
    const seen = new Text()
    stream.pipe(seen)
    const [, container] = await docker.run(IMAGE, ['true'], new Text(), { HostConfig: { NetworkMode: 'none' } })
    await container.remove()
    await seen.until(text => text.includes('"Action":"destroy"'))
    stream.destroy()
    const mine = seen.text.trim().split('\n').map(line => JSON.parse(line)).filter(event => event.Actor.ID === container.id)
    return { actions: mine.map(event => event.Action) }
  },

  async build ({ size }) {
    const pack = tar.pack()
    const file = Buffer.concat([...bytes(size)])
    pack.entry({ name: 'Dockerfile' }, `FROM ${IMAGE}\nCOPY file /file\nRUN sha256sum /file\n`)
    pack.entry({ name: 'file' }, file)
    pack.finalize()
    const stream = await docker.buildImage(pack, { t: 'built-from-windows', networkmode: 'none', forcerm: true })
    const steps = await new Promise((resolve, reject) => docker.modem.followProgress(stream, (error, all) => error ? reject(error) : resolve(all)))
    await docker.getImage('built-from-windows').remove({ force: true })
    return { text: steps.map(step => step.stream || step.error || '').join(''), hash: crypto.createHash('sha256').update(file).digest('hex') }
  },

  // `count` connections that are open at once, each waiting for the same event, and as many that ask for something meanwhile.
  async parallel ({ count }) {
    const streams = await Promise.all(Array.from({ length: count }, () => docker.getEvents({ filters: { type: ['container'], event: ['create'] } })))
    const heard = streams.map(stream => once(stream, 'data'))
    const versions = await Promise.all(Array.from({ length: count }, () => docker.version()))
    const container = await docker.createContainer({ Image: IMAGE, Cmd: ['true'] })
    const events = (await Promise.all(heard)).map(([data]) => JSON.parse(data))
    streams.forEach(stream => stream.destroy())
    await container.remove()
    return { heard: events.filter(event => event.Actor.ID === container.id).length, versions: new Set(versions.map(version => version.Version)).size, answers: versions.length }
  },

  // `size` bytes as a file into a container and back; the hash of what went, of what is there, of what came.
  async copy ({ size }) {
    return withContainer({}, async container => {
      const [up, down] = [crypto.createHash('sha256'), crypto.createHash('sha256')]
      const begun = Date.now()
      const pack = tar.pack()
      const sending = container.putArchive(pack, { path: '/' })
      await pipeline(hashed(bytes(size), up), pack.entry({ name: 'large', size }))
      pack.finalize()
      await sending
      const there = Date.now()
      const look = await exec(container, ['sha256sum', '/large'])
      let text = ''
      for await (const piece of look.out) text += piece
      const asked = Date.now()
      const extract = tar.extract()
      let have = 0
      extract.on('entry', (_header, entry, next) => {
        entry.on('data', piece => {
          have += piece.length
          down.update(piece)
        })
        entry.on('end', next)
      })
      await pipeline(await container.getArchive({ path: '/large' }), extract)
      return { up: up.digest('hex'), inside: text.split(' ')[0], down: down.digest('hex'), have, up_ms: there - begun, down_ms: Date.now() - asked }
    })
  },

  // Follows a container's output until that ends, whichever way; then asks until there is an engine again.
  async follow ({ container }) {
    const stream = await docker.getContainer(container).logs({ follow: true, stdout: true })
    stream.once('data', () => tell({ open: true }))
    const end = await new Promise(resolve => {
      stream.on('end', () => resolve('end'))
      stream.on('error', error => resolve(error.code || error.message))
      stream.on('close', () => resolve('close'))
    })
    tell({ ended: end })
    return { end }
  },

  // Asks over and over, until the test says that it is enough: what came of it.
  async steady () {
    const result = { right: 0, refused: 0, failed: 0, longest_ms: 0, reasons: {} }
    const over = hear()
    let on = true
    over.then(() => { on = false })
    tell({ open: true })
    while (on) {
      const begun = Date.now()
      let failed = false
      try {
        await docker.version()
        result.right++
      } catch (error) {
        failed = true
        result[error.statusCode === 503 ? 'refused' : 'failed']++
        const reason = error.json ? error.json.message : error.message
        if (Object.keys(result.reasons).length < 20) result.reasons[reason] = (result.reasons[reason] || 0) + 1
      }
      result.longest_ms = Math.max(result.longest_ms, Date.now() - begun)
      if (failed) await new Promise(resolve => setTimeout(resolve, 50))
    }
    return result
  }
}

async function main ([port, name, json]) {
  test = net.connect(Number(port), '127.0.0.1')
  test.on('data', data => told.write(data))
  await once(test, 'connect')
  try {
    tell({ done: await cases[name](JSON.parse(json || '{}')) })
  } catch (error) {
    tell({ failed: error.message, code: error.statusCode, body: error.json })
  }
  test.end()
  await once(test, 'close')
  process.exit(0)
}

main(process.argv.slice(2))
