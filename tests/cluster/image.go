package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// An image is layers and two JSON documents. No container engine is needed to make one.
type image struct {
	name   string // as pods ask for it
	layers []layer
	config imageConfig
}

type imageConfig struct {
	User       string   `json:",omitempty"`
	Env        []string `json:",omitempty"`
	Entrypoint []string `json:",omitempty"`
	Cmd        []string `json:",omitempty"`
	WorkingDir string   `json:",omitempty"`
}

// What a layer is made of, and how. The key names the content, so that it is made once.
type layer struct {
	name string
	key  string
	make func(ctx context.Context, c *cluster, work string, out *tarball) error
}

// A layer that was made.
type blob struct {
	Digest string
	Size   int64
}

func key(parts ...any) string {
	sum := sha256.Sum256(fmt.Append(nil, parts...))
	return hex.EncodeToString(sum[:])[:16]
}

// The name in our registry: containerd asks the mirror without the host.
func (i image) repository() (name, tag string) {
	_, path, _ := strings.Cut(i.name, "/")
	name, tag, _ = strings.Cut(path, ":")
	return name, tag
}

func (l layer) file(c *cluster, suffix string) string {
	return c.cached("layers", l.name+"-"+l.key+suffix)
}

// Where a blob's bytes are: in the layer's own file until it is pushed, then in the registry's store.
func (l layer) content(c *cluster, b blob) (string, bool) {
	sum := strings.TrimPrefix(b.Digest, "sha256:")
	if len(sum) != sha256.Size*2 {
		return "", false
	}
	for _, path := range []string{l.file(c, ".tar"), c.cached("registry/docker/registry/v2/blobs/sha256", sum[:2], sum, "data")} {
		if info, err := os.Stat(path); err == nil && info.Size() == b.Size {
			return path, true
		}
	}
	return "", false
}

// Makes a layer, or finds it in the cache.
func (l layer) ensure(ctx context.Context, c *cluster) (blob, error) {
	var made blob
	if text, err := os.ReadFile(l.file(c, ".json")); err == nil && json.Unmarshal(text, &made) == nil {
		if _, ok := l.content(c, made); ok {
			return made, nil
		}
	}
	err := step("making image layer "+l.name, func() error {
		work, err := c.workFolder(l.name)
		if err != nil {
			return err
		}
		defer os.RemoveAll(work)
		if err := os.MkdirAll(c.cached("layers"), 0o755); err != nil {
			return err
		}
		file, err := os.Create(l.file(c, ".tar.part"))
		if err != nil {
			return err
		}
		defer file.Close()
		sum := sha256.New()
		out := &tarball{Writer: tar.NewWriter(io.MultiWriter(file, sum)), folders: map[string]bool{}}
		if err := l.make(ctx, c, work, out); err != nil {
			return err
		}
		if err := out.Close(); err != nil {
			return err
		}
		size, err := file.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		made = blob{"sha256:" + hex.EncodeToString(sum.Sum(nil)), size}
		text, err := json.Marshal(made)
		if err != nil {
			return err
		}
		if err := os.Rename(file.Name(), l.file(c, ".tar")); err != nil {
			return err
		}
		return os.WriteFile(l.file(c, ".json"), text, 0o644)
	})
	return made, err
}

// A tar whose bytes depend on its content alone: no times, no names of owners.
type tarball struct {
	*tar.Writer
	folders map[string]bool
}

var epoch = time.Unix(0, 0)

// Adds a file, and the folders above it.
func (t *tarball) file(path string, mode int64, size int64, content io.Reader) error {
	if err := t.above(path); err != nil {
		return err
	}
	err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: mode, Size: size, ModTime: epoch, Format: tar.FormatPAX})
	if err != nil {
		return err
	}
	_, err = io.Copy(t, content)
	return err
}

func (t *tarball) text(path string, mode int64, content []byte) error {
	return t.file(path, mode, int64(len(content)), bytes.NewReader(content))
}

func (t *tarball) folder(path string, mode int64, uid int) error {
	if err := t.above(path); err != nil {
		return err
	}
	if t.folders[path] {
		return nil
	}
	t.folders[path] = true
	return t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: path + "/", Mode: mode, Uid: uid, ModTime: epoch, Format: tar.FormatPAX})
}

func (t *tarball) above(path string) error {
	if parent := filepath.Dir(path); parent != "." && !t.folders[parent] {
		return t.folder(parent, 0o755, 0)
	}
	return nil
}

func (t *tarball) link(path, target string) error {
	if err := t.above(path); err != nil {
		return err
	}
	return t.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: path, Linkname: target, Mode: 0o777, ModTime: epoch, Format: tar.FormatPAX})
}

// Adds a whole file system, in the order of its names, with owners and modes, but for what `leave` names.
func (t *tarball) tree(root string, leave func(path string) bool) error {
	inodes := map[uint64]string{}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if leave(name) {
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		header := &tar.Header{
			Name: name, Mode: int64(stat.Mode & 0o7777), Uid: int(stat.Uid), Gid: int(stat.Gid), ModTime: epoch, Format: tar.FormatPAX,
		}
		switch {
		case info.IsDir():
			header.Typeflag, header.Name = tar.TypeDir, name+"/"
			t.folders[name] = true
		case info.Mode()&fs.ModeSymlink != 0:
			header.Typeflag = tar.TypeSymlink
			if header.Linkname, err = os.Readlink(path); err != nil {
				return err
			}
		case info.Mode().IsRegular():
			if first, linked := inodes[stat.Ino]; linked && stat.Nlink > 1 {
				header.Typeflag, header.Linkname = tar.TypeLink, first
				return t.WriteHeader(header)
			}
			inodes[stat.Ino] = name
			header.Typeflag, header.Size = tar.TypeReg, info.Size()
			if err := t.WriteHeader(header); err != nil {
				return err
			}
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			defer file.Close()
			_, err = io.Copy(t, file)
			return err
		default:
			return nil // devices and sockets are the runtime's affair
		}
		return t.WriteHeader(header)
	})
}

// Makes the layers of images, without the registry.
func (c *cluster) makeLayers(ctx context.Context, images []image) error {
	for _, one := range images {
		for _, l := range one.layers {
			if _, err := l.ensure(ctx, c); err != nil {
				return fmt.Errorf("image %s: %w", one.name, err)
			}
		}
	}
	return nil
}

// Makes an image, pushes it into the registry and pulls it into the nodes, as far as that is not done.
func (c *cluster) addImage(ctx context.Context, one image) error {
	if !c.isOurs() {
		return errNotUp
	}
	if err := c.installForImages(ctx, []image{one}); err != nil {
		return err
	}
	if err := c.makeLayers(ctx, []image{one}); err != nil {
		return err
	}
	if err := c.pushAll(ctx, []image{one}); err != nil {
		return err
	}
	return c.pullMissing(ctx, one)
}

// The packages that images are made with are needed only when one is to be made.
func (c *cluster) installForImages(ctx context.Context, images []image) error {
	for _, one := range images {
		for _, l := range one.layers {
			var made blob
			text, err := os.ReadFile(l.file(c, ".json"))
			if err != nil || json.Unmarshal(text, &made) != nil {
				return install(ctx, toMakeImages)
			}
			if _, ok := l.content(c, made); !ok {
				return install(ctx, toMakeImages)
			}
		}
	}
	return nil
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

func (c *cluster) push(ctx context.Context, one image) error {
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int64  `json:"size"`
	}
	repository, tag := one.repository()
	var layers []descriptor
	var digests []string
	for _, l := range one.layers {
		made, err := l.ensure(ctx, c)
		if err != nil {
			return err
		}
		path, ok := l.content(c, made)
		if !ok {
			return fmt.Errorf("layer %s is gone", l.name)
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		err = pushBlob(ctx, repository, made, file)
		file.Close()
		if err != nil {
			return err
		}
		_ = os.Remove(l.file(c, ".tar")) // the registry's store has it now
		layers = append(layers, descriptor{"application/vnd.oci.image.layer.v1.tar", made.Digest, made.Size})
		digests = append(digests, made.Digest)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": one.config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": digests},
	})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(config)
	made := blob{"sha256:" + hex.EncodeToString(sum[:]), int64(len(config))}
	if err := pushBlob(ctx, repository, made, bytes.NewReader(config)); err != nil {
		return err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": descriptor{"application/vnd.oci.image.config.v1+json", made.Digest, made.Size}, "layers": layers,
	})
	if err != nil {
		return err
	}
	_, err = registryCall(ctx, http.MethodPut, "/v2/"+repository+"/manifests/"+tag, manifestType, bytes.NewReader(manifest), int64(len(manifest)))
	return err
}

func pushBlob(ctx context.Context, repository string, b blob, content io.Reader) error {
	if _, err := registryCall(ctx, http.MethodHead, "/v2/"+repository+"/blobs/"+b.Digest, "", nil, 0); err == nil {
		return nil
	} else if !errors.Is(err, errNotFound) {
		return err
	}
	response, err := registryCall(ctx, http.MethodPost, "/v2/"+repository+"/blobs/uploads/", "", nil, 0)
	if err != nil {
		return err
	}
	location, err := response.Location()
	if err != nil {
		return err
	}
	query := location.Query()
	query.Set("digest", b.Digest)
	_, err = registryCall(ctx, http.MethodPut, location.Path+"?"+query.Encode(), "application/octet-stream", content, b.Size)
	return err
}

func registryCall(ctx context.Context, method, path, contentType string, body io.Reader, size int64) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+registryAddress+path, body)
	if err != nil {
		return nil, err
	}
	request.ContentLength = size
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := direct.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
	if response.StatusCode == http.StatusNotFound {
		return nil, errNotFound
	}
	if response.StatusCode >= 300 {
		return nil, fmt.Errorf("registry: %s %s: %s: %s", method, path, response.Status, bytes.TrimSpace(answer))
	}
	return response, nil
}

// Pulls an image into every node, so that the first pod does not wait for it.
func (c *cluster) pull(ctx context.Context, one image) error {
	var all []func(context.Context) error
	for _, n := range nodes {
		all = append(all, func(ctx context.Context) error {
			return run(ctx, "ctr", "--address", c.containerdSocket(n), "--namespace", "k8s.io",
				"images", "pull", "--hosts-dir", c.path("registries"), one.name)
		})
	}
	return together(ctx, all...)
}
