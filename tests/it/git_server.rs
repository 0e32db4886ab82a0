//! A real `git http-backend` behind lighttpd on loopback, with basic authentication.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::repositories::{fixed, git_in};

pub(crate) const TOKEN: &str = "s3cret-t0ken";

/// A running server. It ends when this value is dropped.
pub(crate) struct Server {
    lighttpd: Child,
    port: u16,
    folder: PathBuf,
}

impl Server {
    /// Serves the bare repositories that [`Server::repository`] creates below `folder`.
    ///
    /// If lighttpd is not installed, prints a message and returns `None`. In CI it must be
    /// installed.
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let program = ["/usr/sbin/lighttpd", "/usr/local/sbin/lighttpd", "/usr/bin/lighttpd"];
        let program = program.into_iter().find(|path| Path::new(path).exists());
        let Some(program) = program else {
            assert!(env::var_os("CI").is_none(), "in CI lighttpd must be installed");
            eprintln!("skipped: lighttpd is not installed");
            return None;
        };
        fs::create_dir_all(folder.join("empty")).unwrap();
        fs::create_dir_all(folder.join("git")).unwrap();
        fs::write(folder.join("htpasswd"), format!("x-access-token:{TOKEN}\n")).unwrap();
        // Another process may take the free port before lighttpd does.
        (0..10).find_map(|_| Self::try_start(program, folder))
    }

    fn try_start(program: &str, folder: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let backend = git_in(folder, &["--exec-path"]).trim().to_owned() + "/git-http-backend";
        let root = folder.display();
        let configuration = format!(
            r#"server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{root}/empty"
server.modules = ( "mod_alias", "mod_setenv", "mod_auth", "mod_authn_file", "mod_cgi" )
alias.url = ( "/git" => "{backend}" )
$HTTP["url"] =~ "^/git" {{
  cgi.assign = ( "" => "" )
  setenv.add-environment = ( "GIT_PROJECT_ROOT" => "{root}/git", "GIT_HTTP_EXPORT_ALL" => "1" )
}}
auth.backend = "plain"
auth.backend.plain.userfile = "{root}/htpasswd"
auth.require = ( "/git" => ( "method" => "basic", "realm" => "git", "require" => "valid-user" ) )
"#
        );
        let file = folder.join("lighttpd.conf");
        fs::write(&file, configuration).unwrap();
        let mut lighttpd = fixed(Command::new(program).arg("-D").arg("-f").arg(&file))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut messages = BufReader::new(lighttpd.stderr.take().unwrap()).lines();
        let is_up =
            messages.by_ref().map_while(Result::ok).any(|line| line.contains("server started"));
        if !is_up {
            lighttpd.wait().unwrap();
            return None;
        }
        std::thread::spawn(move || messages.for_each(drop));
        Some(Self { lighttpd, port, folder: folder.to_owned() })
    }

    /// Creates a bare repository that accepts pushes.
    pub(crate) fn repository(&self, name: &str) -> PathBuf {
        let path = self.folder.join("git").join(name);
        fs::create_dir(&path).unwrap();
        git_in(&path, &["init", "--quiet", "--bare", "--initial-branch=main"]);
        git_in(&path, &["config", "http.receivepack", "true"]);
        path
    }

    /// Returns the address of a repository, without credentials.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/git/{name}", self.port)
    }

    /// Returns the address of a repository, with valid credentials.
    pub(crate) fn open_url(&self, name: &str) -> String {
        format!("http://x-access-token:{TOKEN}@127.0.0.1:{}/git/{name}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.lighttpd.kill();
        let _ = self.lighttpd.wait();
    }
}
