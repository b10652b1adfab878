package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// Every end is told the same: TLS 1.3 with one cipher suite, its certificate,
// the CA, and that the other end must prove its name (nginx cannot ask that of
// a client). All else stays as its authors preset it, what it logs included.

// write puts a configuration file into the folder of the end.
func (e end) write(name, format string, values ...any) (string, error) {
	file := filepath.Join(e.folder, name)
	if err := os.WriteFile(file, fmt.Appendf(nil, format, values...), 0o600); err != nil {
		return "", fmt.Errorf("configure: %w", err)
	}
	return file, nil
}

// peerName is what the other end proves.
func (e end) peerName() string {
	if e.client {
		return serverName
	}
	return clientName
}

func (e end) role() string {
	if e.client {
		return "client"
	}
	return "server"
}

// Go's crypto/tls takes TLS_AES_128_GCM_SHA256 first where the processor has
// instructions for AES.
func gtunnelArguments(e end) ([]string, error) {
	args := []string{
		e.role(), "--accept", e.accept, "--connect", e.connect, "--min-tls", "1.3",
		"--cert", e.cert, "--key", e.key, "--capath", e.capath, "--admin", "none",
	}
	if e.client {
		return append(args, "--server-name", serverName), nil
	}
	return append(args, "--allow-host", clientName), nil
}

func ghostunnelArguments(e end) ([]string, error) {
	args := []string{
		e.role(), "--listen", e.accept, "--target", e.connect,
		"--cert", e.cert, "--key", e.key, "--cacert", e.cafile,
	}
	if e.client {
		return append(args, "--override-server-name", serverName), nil
	}
	return append(args, "--allow-cn", clientName), nil
}

func stunnelArguments(e end) ([]string, error) {
	role := "no"
	if e.client {
		role = "yes"
	}
	file, err := e.write("stunnel.conf", `foreground = yes
pid =
[bench]
client = %s
accept = %s
connect = %s
sslVersion = %s
ciphersuites = %s
cert = %s
key = %s
CAfile = %s
verifyChain = yes
checkHost = %s
`, role, e.accept, e.connect, tlsVersion, cipherSuite, e.cert, e.key, e.cafile, e.peerName())
	return []string{file}, err
}

func haproxyArguments(e end) ([]string, error) {
	tls := fmt.Sprintf("ssl crt %s ca-file %s verify required ssl-min-ver %s ciphersuites %s", e.bundle, e.cafile,
		tlsVersion, cipherSuite)
	bind, server := tls+"\n\ttcp-request session reject unless { ssl_c_s_dn(cn) -m str "+clientName+" }", ""
	if e.client {
		bind, server = "", fmt.Sprintf("%s verifyhost %s sni str(%s)", tls, serverName, serverName)
	}
	file, err := e.write("haproxy.cfg", `global
	maxconn %d
defaults
	mode tcp
	timeout connect 10s
	timeout client 1h
	timeout server 1h
frontend plain
	bind %s %s
	default_backend target
backend target
	server target %s %s
`, e.most+100, e.accept, bind, e.connect, server)
	return []string{"-db", "-f", file}, err
}

// nginxModule is Debian's stream module; elsewhere it may be built in.
const nginxModule = "/usr/lib/nginx/modules/ngx_stream_module.so"

func nginxArguments(e end) ([]string, error) {
	load := ""
	if _, err := os.Stat(nginxModule); err == nil {
		load = "load_module " + nginxModule + ";"
	}
	tls := fmt.Sprintf(`ssl_certificate %s;
		ssl_certificate_key %s;
		ssl_client_certificate %s;
		ssl_verify_client on;
		ssl_protocols %s;
		ssl_conf_command Ciphersuites %s;`, e.cert, e.key, e.cafile, tlsVersion, cipherSuite)
	listen := "ssl"
	if e.client {
		listen, tls = "", fmt.Sprintf(`proxy_ssl on;
		proxy_ssl_certificate %s;
		proxy_ssl_certificate_key %s;
		proxy_ssl_trusted_certificate %s;
		proxy_ssl_verify on;
		proxy_ssl_name %s;
		proxy_ssl_server_name on;
		proxy_ssl_protocols %s;
		proxy_ssl_conf_command Ciphersuites %s;`, e.cert, e.key, e.cafile, serverName, tlsVersion, cipherSuite)
	}
	log := filepath.Join(e.folder, "error.log")
	file, err := e.write("nginx.conf", `%s
daemon off;
pid %s;
error_log %s;
worker_processes auto;
worker_rlimit_nofile %d;
events { worker_connections %d; }
stream {
	server {
		listen %s %s;
		proxy_pass %s;
		proxy_timeout 1h;
		%s
	}
}
`, load, filepath.Join(e.folder, "nginx.pid"), log, 2*e.most+200, 2*e.most+100, e.accept, listen, e.connect, tls)
	return []string{"-e", log, "-p", e.folder, "-c", file}, err
}

func relayArguments(e end) ([]string, error) {
	return []string{"relay", e.accept, e.connect}, nil
}
